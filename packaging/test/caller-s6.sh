#!/bin/sh
# s6: s6-svscan, s6-svc and s6-log.
. /host/lib.sh

scan=/run/service
service=$scan/$NAME
mkdir -p $scan
# It is ready when it is let, to be told from being up.
cat >>/etc/$NAME/conf.d/tick.toml <<'TOML'
[program.ready]
command = ["/bin/sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.1; done; echo >&3; exec sleep 86402"]
ready = "fd:3"
required = true
TOML
cp -R /host/packaging/s6 $service
log=/var/log/$NAME/current
s6-svscan $scan &
scanner=$!

true_that "s6-svscan starts it" within alone
is "up, not yet ready" "true false" "$(s6-svstat -o up,ready $service)"
: >/tmp/go
s6-svwait -t 60000 -U $service
is "s6-svwait -U: ready" 0 $?
$DAEMON status
is "ready: status" 0 $?
is "no child of the daemon's is a stranger's" "" "$(pgrep -P "$(pid)" s6)"
true_that "its program runs" within tick
true_that "its log goes to s6-log" within grep -q 'ready pid=' $log

first=$(pid)
c=$(tick)
printf '[program.more]\ncommand = ["/bin/sh", "-c", "echo hello from more; exec sleep 86403"]\n' >/etc/$NAME/conf.d/more.toml
s6-svc -h $service
true_that "s6-svc -h: the new program runs" within pgrep -f '^sleep 86403$'
is "s6-svc -h: the rest is the old one" "$first $c" "$(pids) $(tick)"
true_that "a program's output goes to s6-log" within grep -q 'hello from more' $log
echo nonsense >/etc/$NAME/conf.d/zz.toml
s6-svc -h $service
true_that "s6-svc -h, broken: the log names the place" within grep -q 'conf.d/zz.toml:1:' $log
is "s6-svc -h, broken: the rest is the old one" "$first $c" "$(pids) $(tick)"
rm /etc/$NAME/conf.d/zz.toml

kill -KILL "$first"
another() { [ -n "$(pids)" ] && [ "$(pids)" != "$first" ] && alone; }
true_that "kill -9: it is back" within another
one() { [ "$(tick | wc -l)" = 1 ]; }
true_that "kill -9: its program runs once" within one
is "kill -9: the program of before has gone" "" "$(cat /proc/"$c"/comm 2>/dev/null)"
s6-svwait -t 60000 -U $service
is "kill -9: ready again" 0 $?

cat >/etc/$NAME/conf.d/slow.toml <<'TOML'
[program.slow]
command = ["/bin/sh", "-c", "trap 'sleep 1; echo ended in time; exit 0' TERM; while :; do sleep 86404 & wait; done"]
TOML
s6-svc -h $service
true_that "a program that needs a second to end" within pgrep -f '^sleep 86404$'
began=$(now)
s6-svc -wD -T 60000 -d $service
is "s6-svc -wD -d" 0 $?
took=$(($(now) - began))
true_that "down: waits for the end ($took ms)" test $took -ge 900
is "down: nothing is left" "0 " "$(instances) $(tick)"
is "down: with 0" "false 0" "$(s6-svstat -o up,exitcode $service)"
rm /etc/$NAME/conf.d/slow.toml

echo nonsense >/etc/$NAME/conf.d/zz.toml
s6-svc -u $service
true_that "refused: the log says so" within grep -q 'status 6: it stays down until s6-svc -u' $log
sleep 1.5
is "refused: it stays down, with 6" "false 6 false" "$(s6-svstat -o up,exitcode,wantedup $service)"
rm /etc/$NAME/conf.d/zz.toml
s6-svc -wU -T 60000 -u $service
is "repaired: s6-svc -wU -u" 0 $?
single "repaired"

kill -TERM $scanner
wait $scanner
gone() { [ "$(instances)" -eq 0 ] && ! tick && ! pgrep -x s6-supervise; }
true_that "the end of s6-svscan ends all" within gone
echo 'done' >>/host/result

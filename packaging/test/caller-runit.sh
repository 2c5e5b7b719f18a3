#!/bin/sh
# runit: runsvdir, sv and svlogd.
. /host/lib.sh

mkdir -p /etc/service
cp -R /host/packaging/runit /etc/service/$NAME
runsvdir -P /etc/service &
dir=$!
log=/var/log/$NAME/current

true_that "runsvdir starts it" within alone
sv -w 60 start $NAME
is "sv start: ready, by its check" 0 $?
true_that "sv status says run" sh -c "sv status $NAME | grep -q '^run: .*pid $(pid)'"
true_that "its program runs" within tick
true_that "its log goes to svlogd" within grep -q 'ready pid=' $log

first=$(pid)
c=$(tick)
printf '[program.more]\ncommand = ["/bin/sh", "-c", "echo hello from more; exec sleep 86402"]\n' >/etc/$NAME/conf.d/more.toml
sv hup $NAME
true_that "sv hup: the new program runs" within pgrep -f '^sleep 86402$'
is "sv hup: the rest is the old one" "$first $c" "$(pids) $(tick)"
true_that "a program's output goes to svlogd" within grep -q 'hello from more' $log
echo nonsense >/etc/$NAME/conf.d/zz.toml
sv hup $NAME
true_that "sv hup, broken: the log names the place" within grep -q 'conf.d/zz.toml:1:' $log
is "sv hup, broken: the rest is the old one" "$first $c" "$(pids) $(tick)"
rm /etc/$NAME/conf.d/zz.toml

kill -KILL "$first"
another() { [ -n "$(pids)" ] && [ "$(pids)" != "$first" ] && alone; }
true_that "kill -9: it is back" within another
one() { [ "$(tick | wc -l)" = 1 ]; }
true_that "kill -9: its program runs once" within one
is "kill -9: the program of before has gone" "" "$(cat /proc/"$c"/comm 2>/dev/null)"

cat >/etc/$NAME/conf.d/slow.toml <<'TOML'
[program.slow]
command = ["/bin/sh", "-c", "trap 'sleep 1; echo ended in time; exit 0' TERM; while :; do sleep 86403 & wait; done"]
TOML
# What finish is called with.
cp /etc/service/$NAME/finish /tmp/finish
printf '#!/bin/sh\necho "$*" >/tmp/finished\nexec /tmp/finish "$@"\n' >/etc/service/$NAME/finish
sv hup $NAME
true_that "a program that needs a second to end" within pgrep -f '^sleep 86403$'
began=$(now)
sv -w 60 down $NAME
is "sv down" 0 $?
took=$(($(now) - began))
true_that "sv down: waits for the end ($took ms)" test $took -ge 900
is "sv down: nothing is left" "0 " "$(instances) $(tick)"
true_that "sv down: finish is told 0" within grep -qx '0 0' /tmp/finished
rm /etc/$NAME/conf.d/slow.toml

echo nonsense >/etc/$NAME/conf.d/zz.toml
sv up $NAME
down() { sv status $NAME | grep '^down: ' | grep -qv 'want up'; }
true_that "refused: finish is told 6" within grep -qx '6 0' /tmp/finished
true_that "refused: it stays down" within down
true_that "refused: the log says so" within grep -q 'status 6: it stays down until sv up' $log
sleep 1.5
true_that "refused: it still is" down
rm /etc/$NAME/conf.d/zz.toml
sv -w 60 start $NAME
is "repaired: sv start" 0 $?
single "repaired"

kill -HUP $dir # runsvdir's way to end, with a TERM to each runsv
wait $dir
gone() { [ "$(instances)" -eq 0 ] && ! tick && ! pgrep -x runsv; }
true_that "the end of runsvdir ends all" within gone
echo 'done' >>/host/result

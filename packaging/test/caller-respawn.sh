#!/bin/sh
# sysvinit's own inittab, in a Debian with System V's rc.
if [ "$1" = boot ]; then
	grep -v '^#' /host/packaging/inittab/inittab.example >>/etc/inittab
	# The session goes on in runlevel 3, the daemon does not.
	sed -i 's/^ts:2:/ts:23:/; s/^kd:2345:/kd:2:/' /etc/inittab
	exec /sbin/init
fi
. /host/lib.sh

true_that "the boot has started it" within alone
true_that "its program runs" within tick
is "status" "0" "$($DAEMON status >/dev/null; echo $?)"
is "init is its parent" 1 "$(field "$(pid)" PPid)"

first=$(pid)
kill -KILL "$first"
another() { [ -n "$(pids)" ] && [ "$(pids)" != "$first" ] && alone; }
true_that "kill -9: it is back" within another
one() { [ "$(tick | wc -l)" = 1 ]; }
true_that "kill -9: its program runs once" within one
first=$(pid)
$DAEMON stop
is "keepalivedd stop ends with" 0 $?
true_that "keepalivedd stop is a restart" within another

# Refused over and over, until init leaves it alone; telinit q ends that.
first=$(pid)
c=$(tick)
echo nonsense >/etc/$NAME/conf.d/zz.toml
$DAEMON reload
is "a broken configuration: reload" 6 $?
is "a broken configuration: the old one lives, with its program" "$first $c" "$(pids) $(tick)"
kill -KILL "$first"
true_that "a broken configuration: init leaves it alone" within grep -q 'respawning too fast' /host/messages
rm /etc/$NAME/conf.d/zz.toml
sleep 0.5
is "left alone: nothing runs" 0 "$(instances)"
telinit q
true_that "telinit q: it is back" within alone

# TERM and KILL with 3 seconds between, as at a shutdown.
sed -i 's/^#*shutdown_timeout = .*/shutdown_timeout = "2s"/' $CONF
cat >/etc/$NAME/conf.d/slow.toml <<'TOML'
[program.slow]
command = ["/bin/sh", "-c", "trap 'sleep 1; logger -t slow ended in time; exit 0' TERM; while :; do sleep 86402 & wait; done"]
TOML
$DAEMON reload
true_that "a program that needs a second to end" within pgrep -f '^sleep 86402$'
telinit 3
gone() { [ "$(instances)" -eq 0 ] && ! tick; }
true_that "another runlevel ends it" within gone
true_that "with the time that its program needs" grep -q 'slow: ended in time' /host/messages
true_that "and its pidfile" test ! -e $PIDFILE
telinit 2
true_that "the runlevel brings it back" within alone

# The time that the example says to give.
sed -i 's/^shutdown_timeout = .*/shutdown_timeout = "10s"/' $CONF
sed -i 's/sleep 1; logger -t slow ended in time/sleep 4; logger -t slow ended in its four seconds/; s/86402/86406/' /etc/$NAME/conf.d/slow.toml
$DAEMON reload
true_that "a program that needs four" within pgrep -f '^sleep 86406$'
began=$(now)
telinit -t 8 3
true_that "telinit -t: the runlevel ends it" within gone
took=$(($(now) - began))
true_that "telinit -t: after the four seconds that its program needs ($took ms)" test $took -ge 3500
true_that "telinit -t: and not by KILL" grep -q 'slow: ended in its four seconds' /host/messages
rm /etc/$NAME/conf.d/slow.toml
telinit 2
true_that "telinit -t: and back" within alone

printf '[program.stubborn]\ncommand = ["/bin/sh", "-c", "trap %s TERM; while :; do sleep 86405; done"]\nstop_timeout = "60s"\n' "''" >/etc/$NAME/conf.d/stubborn.toml
sed -i 's/^shutdown_timeout = .*/shutdown_timeout = "60s"/' $CONF
$DAEMON reload
true_that "a program that does not end" within pgrep -f '^sleep 86405$'
began=$(now)
telinit 3
gone() { [ "$(instances)" -eq 0 ] && ! tick && ! pgrep -f "^/bin/sh -c trap"; }
true_that "a shutdown_timeout above the 3 s: KILL, and no program outlives it" within gone
took=$(($(now) - began))
true_that "after 3 s, not after 60 ($took ms)" test $took -ge 2500 -a $took -le 30000
pgrep -f '^sleep 8640[25]$' | xargs -r kill -KILL
rm /etc/$NAME/conf.d/stubborn.toml
sed -i 's/^#*shutdown_timeout = .*/shutdown_timeout = "2s"/' $CONF
telinit 2
true_that "and back: a killed one's pidfile is in nobody's way" within alone

true_that "its program runs at the end" within tick
logger -t session "going down"
echo 'done' >>/host/result
telinit 0

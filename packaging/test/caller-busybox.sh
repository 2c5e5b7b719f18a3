#!/bin/sh
# busybox init.
if [ "$1" = boot ]; then
	{
		echo '::sysinit:/bin/busybox syslogd -O /host/messages'
		cat /host/packaging/inittab/busybox-inittab.example
		echo '::once:/host/session'
	} >/etc/inittab
	exec /bin/busybox init
fi
. /host/lib.sh

true_that "the boot has started it" within alone
true_that "its program runs" within tick
$DAEMON status
is "status" 0 $?
is "init is its parent" 1 "$(field "$(pid)" PPid)"

first=$(pid)
kill -KILL "$first"
another() { [ -n "$(pids)" ] && [ "$(pids)" != "$first" ] && alone; }
true_that "kill -9: it is back" within another
one() { [ "$(tick | wc -l)" = 1 ]; }
true_that "kill -9: its program runs once" within one

# It needs more than the second between busybox's TERM and KILL.
cat >/etc/$NAME/conf.d/slow.toml <<'TOML'
[program.slow]
command = ["/bin/sh", "-c", "trap 'sleep 2; logger -t slow ended in time; exit 0' TERM; while :; do sleep 86402 & wait; done"]
TOML
first=$(pid)
$DAEMON reload
is "reload" 0 $?
true_that "a program that needs two seconds to end" within pgrep -f '^sleep 86402$'
is "reload: it is the old one" "$first" "$(pids)"
printf '::shutdown:/host/after\n' >>/etc/inittab
# The line after the stop: what it finds is what the stop has left.
cat >/host/after <<'AFTER'
#!/bin/sh
. /host/lib.sh
is "at the shutdown: nothing is left when the stop returns" "0 " "$(instances) $(tick)"
true_that "at the shutdown: no pidfile is left" test ! -e $PIDFILE
true_that "at the shutdown: its program had its two seconds" grep -q 'slow: ended in time' /host/messages
sleep 1.5
is "at the shutdown: it is not respawned" 0 "$(instances)"
echo 'done' >>/host/result
AFTER
chmod 755 /host/after
kill -HUP 1 # reads its inittab again
sleep 1
logger -t session "going down"
busybox poweroff

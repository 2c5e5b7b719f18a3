#!/bin/sh
# The pidfile and what may have become of it.
. /host/lib.sh

# Killed: dead with a pidfile left, then a start without a hand.
first=$(pid)
kill -KILL "$first"
within test ! -e "/proc/$first" # really gone, not just going
gives "killed: status" 1 status
nobody_gives "killed: status as nobody" 1 status
true_that "killed: status has not touched the file" test -s $PIDFILE
gives "killed: try-restart" 0 try-restart
gives "killed: reload" 7 reload
is "killed: both have started nothing" 0 "$(instances)"
gives "killed: start" 0 start
single "killed and started"
orphans() { [ "$(tick | wc -l)" -eq 1 ]; }
true_that "killed: no program of the dead one is left" within orphans
kill -KILL "$(pid)"
gives "killed: stop" 0 stop
gives "killed: status after the stop" 3 status

sleep 86403 &
stranger=$!
sleep 0 &
dead=$!
wait $dead
stale() { # WHAT, CONTENTS
	printf %b "$2" >$PIDFILE
	gives "pidfile with $1: status" 1 status
	gives "pidfile with $1: stop" 0 stop
	is "pidfile with $1: nobody was harmed" "" "$(kill -0 $stranger 2>&1)"
	printf %b "$2" >$PIDFILE
	gives "pidfile with $1: start" 0 start
	single "pidfile with $1"
	gives "pidfile with $1: stop afterwards" 0 stop
}
stale "a dead pid" "$dead\n"
stale "nothing in it" ""
stale "garbage" "keepalivedd\n"
stale "zero" "0\n"
stale "minus one" "-1\n"
stale "more than a number" "$stranger 7\n"
stale "pid 1" "1\n"
stale "a stranger's pid" "$stranger\n"
stale "this shell's pid" "$$\n"
kill $stranger

# Removed or overwritten while it runs.
gives "start" 0 start
first=$(pid)
rm $PIDFILE
gives "pidfile removed: start at once" 0 start
is "pidfile removed: still the one" "$first" "$(pids)"
gives "pidfile removed: status" 0 status
restored() { [ "$(pid)" = "$first" ]; }
true_that "pidfile removed: it is put back" within restored
rm $PIDFILE
within restored
nobody_gives "pidfile removed: status as nobody" 4 status
echo 1 >$PIDFILE
true_that "pidfile overwritten: it is put right" within restored
gives "pidfile overwritten: stop" 0 stop
is "pidfile overwritten: it has ended" 0 "$(instances)"
finish

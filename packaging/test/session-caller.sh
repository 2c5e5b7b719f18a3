#!/bin/sh
# Callers with bad manners, and none of it reaches the daemon.
. /host/lib.sh

$INIT stop
echo marker >/host/marker
(
	cd /tmp || exit
	umask 077
	trap '' HUP INT QUIT PIPE TERM USR1 CHLD
	# dash has no descriptors above 9; bash has.
	export _GO_DAEMON=1 LC_ALL=nowhere
	exec bash -c 'exec 0</host/marker 7</host/marker 251</host/marker; exec "$0" start' $INIT
)
is "started with signals ignored and descriptors open" 0 $?
single "started so"
clean "started so"
first=$(pid)
before=$(grep -c . /host/messages)
gives "started so: reload" 0 reload
more() { [ "$(grep -c . /host/messages)" -gt "$before" ]; }
true_that "started so: the reload reaches it" within more
is "started so: it survives it" "$first" "$(pids)"
gives "started so: stop" 0 stop
is "started so: it has ended" 0 "$(instances)"

perl -MPOSIX -e 'sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGHUP, SIGTERM, SIGINT, SIGCHLD)); exec @ARGV' $INIT start
is "started with signals blocked" 0 $?
clean "with signals blocked"
gives "with signals blocked: stop" 0 stop

# A terminal that goes away.
script -qec "$INIT start" /dev/null
single "started from a terminal that is gone"
clean "from a terminal"
gives "from a terminal: stop" 0 stop

# Who waits for the end of the output does not wait for the daemon's.
timeout 60 bash -c "$INIT start | cat; exit \${PIPESTATUS[0]}"
is "start | cat ends" 0 $?
timeout 60 bash -c "$INIT restart 2>&1 | cat; exit \${PIPESTATUS[0]}"
is "restart | cat ends" 0 $?
single "after the pipes"

# One that does not wait for it: the restart goes on between its stop and its start.
first=$(pid)
timeout 60 bash -c "$INIT restart 2>&1 | head -c 1"
another() { alone && [ "$(pid)" != "$first" ]; }
true_that "restart | head -c 1 comes to its end" within another
clean "restart | head -c 1"

# nohup's way: HUP ignored from the script on.
nohup $INIT restart
is "nohup restart" 0 $?
first=$(pid)
gives "after nohup: reload" 0 reload
kill -HUP "$first"
sleep 0.3
is "after nohup: it survives HUP" "$first" "$(pids)"

# Everything closed.
bash -c 'exec <&- >&- 2>&-; exec "$0" restart' $INIT
is "restart with 0, 1 and 2 closed" 0 $?
single "with 0, 1 and 2 closed"
clean "with 0, 1 and 2 closed"
finish

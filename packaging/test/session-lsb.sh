#!/bin/sh
# Every action with its status, as root and as nobody, running and stopped, in
# each of the shells.
. /host/lib.sh

for RUNNER in dash bash "busybox sh"; do
	sh=$RUNNER
	gives "$sh: stop" 0 stop
	gives "$sh: stop when stopped" 0 stop
	gives "$sh: status when stopped" 3 status
	nobody_gives "$sh: status when stopped, as nobody" 3 status
	gives "$sh: try-restart when stopped" 0 try-restart
	gives "$sh: condrestart when stopped" 0 condrestart
	gives "$sh: upgrade when stopped" 0 upgrade
	true_that "$sh: it has nothing to say" test ! -s /tmp/said
	is "$sh: all of them leave it stopped" 0 "$(instances)"
	gives "$sh: reload when stopped" 7 reload
	gives "$sh: force-reload when stopped" 7 force-reload
	gives "$sh: restart when stopped starts it" 0 restart
	single "$sh: after that restart"

	gives "$sh: stop again" 0 stop
	gives "$sh: start" 0 start
	true_that "$sh: start says so" said "Starting keepalivedd: ok"
	single "$sh: after the start"
	first=$(pid)
	gives "$sh: start when running" 0 start
	is "$sh: the same process" "$first" "$(pids)"
	gives "$sh: status" 0 status
	true_that "$sh: status says a sentence" test -s /tmp/said
	nobody_gives "$sh: status as nobody, who may not ask how it is" 4 status
	true_that "$sh: but sees that it runs" said "is running, pid $first"

	gives "$sh: reload" 0 reload
	gives "$sh: force-reload" 0 force-reload
	gives "$sh: configtest" 0 configtest
	nobody_gives "$sh: configtest as nobody" 0 configtest
	is "$sh: the same process after both reloads" "$first" "$(pids)"
	gives "$sh: upgrade" 0 upgrade
	true_that "$sh: upgrade says so" said "Upgrading keepalivedd: ok"
	is "$sh: the same process after the upgrade" "$first" "$(pids)"

	gives "$sh: restart" 0 restart
	single "$sh: after the restart"
	true_that "$sh: another process" test "$first" != "$(pid)"
	first=$(pid)
	gives "$sh: try-restart" 0 try-restart
	true_that "$sh: another process after try-restart" test "$first" != "$(pid)"
	first=$(pid)
	gives "$sh: condrestart" 0 condrestart
	single "$sh: after condrestart"

	gives "$sh: no argument" 2
	true_that "$sh: no argument prints the usage" said "Usage: .*try-restart"
	gives "$sh: an unknown action" 3 dance
	nobody_gives "$sh: no argument as nobody" 2
	nobody_gives "$sh: an unknown action as nobody" 3 dance
	# "service keepalivedd restart web" is meant for one program
	first=$(pid)
	for action in start stop restart try-restart reload upgrade; do
		gives "$sh: $action with the name of a program" 2 $action tick
	done
	true_that "$sh: and whose verbs those are" said "keepalivedd up|down|restart tick"
	is "$sh: which has changed nothing" "$first" "$(pids)"
	gives "$sh: status of a program" 0 status tick
	true_that "$sh: tells of that one" said "^tick is up"
	gives "$sh: status of a program that is none" 4 status tikc
	first=$(pid)
	for action in start stop restart try-restart condrestart reload force-reload upgrade; do
		nobody_gives "$sh: $action as nobody" 4 $action
	done
	is "$sh: nobody has changed nothing" "$first" "$(pids)"

	# Red Hat's lock file, only where its directory is.
	true_that "$sh: no /var/lock/subsys is made" test ! -e /var/lock/subsys
	mkdir -p /var/lock/subsys
	gives "$sh: restart with /var/lock/subsys" 0 restart
	true_that "$sh: /var/lock/subsys/keepalivedd while it runs" test -e /var/lock/subsys/keepalivedd
	gives "$sh: stop with /var/lock/subsys" 0 stop
	true_that "$sh: and no more afterwards" test ! -e /var/lock/subsys/keepalivedd
	rmdir /var/lock/subsys

	# Without util-linux's flock: none at all, and one that is not of use.
	mv /usr/bin/flock /usr/bin/flock.away
	gives "$sh: start without flock" 0 start
	ln -s busybox /usr/bin/flock
	gives "$sh: restart with another flock" 0 restart
	single "$sh: after that"
	mv /usr/bin/flock.away /usr/bin/flock
done
RUNNER=

# Somebody holds the lock: one waits, and goes on when it is free.
flock /run/$NAME.init.lock sh -c ': >/tmp/held; until [ -e /tmp/let ]; do sleep 0.1; done' &
true_that "somebody has the lock" within test -e /tmp/held
timeout 60 $INIT start >/tmp/said 2>&1 &
start=$!
sleep 0.5
true_that "start while the lock is held: it waits" kill -0 $start
: >/tmp/let
wait $start
is "start when the lock is free" 0 $?

echo 'DAEMON_OPTS="-p /run/elsewhere.pid -D"' >/etc/default/$NAME
gives "stop with other options finds nothing there" 0 stop
gives "start with options of /etc/default" 0 start
true_that "the options reach it" test -s /run/elsewhere.pid
gives "status with options" 0 status
nobody_gives "status with options, as nobody" 4 status
gives "reload with options" 0 reload
gives "upgrade with options" 0 upgrade
true_that "it reaches it" said "upgraded from"
gives "restart with options" 0 restart
gives "stop with options" 0 stop
true_that "the other pidfile is gone" test ! -e /run/elsewhere.pid
: >/etc/default/$NAME
gives "the first is untouched" 0 status
single "the first"
finish

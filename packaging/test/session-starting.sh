#!/bin/sh
# A start that takes its time, one that fails, and one after which a program is not
# up: what each action makes of it, in each of the shells.
. /host/lib.sh

cp $CONF /tmp/good
starting() { $INIT status 2>/dev/null | grep -q "is starting"; }
partly() { $INIT status >/dev/null 2>&1; [ $? -eq 150 ]; }
down=/etc/$NAME/conf.d/down.toml

for RUNNER in dash bash "busybox sh"; do
	sh=$RUNNER
	gives "$sh: stop" 0 stop

	# Ready after a while, by its own account; started by hand, not under the lock.
	cat >/etc/$NAME/conf.d/slow.toml <<-'END'
		[program.slow]
		command = ["/bin/sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.1; done; echo >&3; exec sleep 86406"]
		ready = "fd:3"
		required = true
	END
	rm -f /tmp/go
	$DAEMON >/tmp/by-hand 2>&1 &
	hand=$!
	true_that "$sh: it is starting" within starting
	gives "$sh: status of what is starting" 4 status
	true_that "$sh: it says so" said "is starting"
	nobody_gives "$sh: status of what is starting, as nobody" 4 status
	gives "$sh: start of what is starting" 0 start
	echo 'nonsense = 1' >>$CONF
	gives "$sh: start of what is starting, the configuration broken since" 0 start
	gives "$sh: restart of what is starting, broken" 6 restart
	gives "$sh: try-restart of what is starting, broken" 6 try-restart
	true_that "$sh: it is starting still" starting
	cp /tmp/good $CONF
	: >/tmp/go
	wait $hand
	is "$sh: that start succeeds" 0 $?
	single "$sh: ready"
	gives "$sh: status when ready" 0 status

	# A stop in the middle of a start ends it.
	gives "$sh: stop again" 0 stop
	rm -f /tmp/go
	$DAEMON >/tmp/by-hand 2>&1 &
	hand=$!
	true_that "$sh: it is starting again" within starting
	gives "$sh: stop of what is starting" 0 stop
	wait $hand
	true_that "$sh: that start fails" test $? -ne 0
	gives "$sh: status after it" 3 status
	is "$sh: nothing is left" "0 " "$(instances) $(pid)"

	# A restart in the middle of one makes it anew.
	$DAEMON >/tmp/by-hand 2>&1 &
	hand=$!
	true_that "$sh: it is starting a third time" within starting
	sleep 0.2
	first=$(pids)
	(sleep 1; : >/tmp/go) &
	gives "$sh: try-restart of what is starting" 0 try-restart
	wait $hand
	single "$sh: after that try-restart"
	true_that "$sh: it is another one" test "$first" != "$(pid)"

	# A start that fails, for another reason than its configuration, says why.
	gives "$sh: stop before" 0 stop
	cat >/etc/$NAME/conf.d/slow.toml <<-'END'
		[program.slow]
		command = ["/bin/sh", "-c", "exit 3"]
		ready = "1s"
		restart = "never"
		required = true
	END
	gives "$sh: start that fails" 1 start
	true_that "$sh: it says failed" said "^Starting keepalivedd: \|^failed"
	true_that "$sh: it says which program" said "keepalivedd: .*slow"
	is "$sh: nothing is left of it" "0 " "$(instances) $(pid)"
	rm /etc/$NAME/conf.d/slow.toml
	sed -i '1i shutdwon_timeout = "3s"' $CONF
	gives "$sh: start, broken" 6 start
	true_that "$sh: the daemon's own words, on a line of their own" said "^keepalivedd: $CONF:1:1: shutdwon_timeout: unknown key"
	true_that "$sh: and failed" said "^Starting keepalivedd: failed"
	cp /tmp/good $CONF
	gives "$sh: start" 0 start
	sed -i '1i shutdwon_timeout = "3s"' $CONF
	gives "$sh: reload, broken" 6 reload
	true_that "$sh: its own words at a reload" said "^keepalivedd: $CONF:1:1: shutdwon_timeout: unknown key"
	true_that "$sh: and failed at a reload" said "^Reloading keepalivedd: failed"
	cp /tmp/good $CONF
	# A program that is not up.
	printf '[program.down]\ncommand = ["/bin/false"]\nrestart = "never"\n' >$down
	gives "$sh: a program is down: reload" 0 reload
	true_that "$sh: a program is down: status 150" within partly
	gives "$sh: a program is down: status" 150 status
	true_that "$sh: a program is down: it is named" said "down"
	nobody_gives "$sh: a program is down: status as nobody" 4 status
	first=$(pid)
	gives "$sh: a program is down: start" 0 start
	true_that "$sh: a program is down: it says that it runs" said "already running"
	is "$sh: a program is down: nothing is restarted by that" "$first" "$(pids)"
	gives "$sh: a program is down: force-reload" 0 force-reload
	gives "$sh: a program is down: try-restart" 0 try-restart
	true_that "$sh: a program is down: that restarts it" test "$first" != "$(pid)"
	within partly
	first=$(pid)
	gives "$sh: a program is down: restart" 0 restart
	single "$sh: a program is down: after the restart"
	true_that "$sh: a program is down: another process" test "$first" != "$(pid)"
	within partly
	gives "$sh: a program is down: stop" 0 stop
	rm $down
	gives "$sh: repaired: start" 0 start
done
# shellcheck disable=SC2034 # for gives
RUNNER=
finish

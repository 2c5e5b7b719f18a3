#!/bin/sh
# Programs and daemons that do not want to end, and the time it takes; the last
# of them is left to the shutdown.
. /host/lib.sh

cat >/etc/$NAME/conf.d/stubborn.toml <<'END'
[program.stubborn]
command = ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 86405; done"]
stop_timeout = "1s"
END
stubborn() { pgrep -f 86405; }
trapped() { pgrep -f '^sleep 86405$'; }
gives "restart with a program that ignores TERM" 0 restart
true_that "it runs" within trapped
began=$(now)
gives "stop" 0 stop
took=$(($(now) - began))
is "nothing is left of it" "0 " "$(instances) $(stubborn)"
true_that "after its stop_timeout of 1 s, not before ($took ms)" test $took -ge 900

# shutdown_timeout is above the program's own.
sed -i 's/stop_timeout = .*/stop_timeout = "600s"/' /etc/$NAME/conf.d/stubborn.toml
sed -i 's/^#*shutdown_timeout = .*/shutdown_timeout = "5s"/' $CONF
gives "start with a stop_timeout of 600 s" 0 start
true_that "it runs again" within trapped
gives "stop within shutdown_timeout" 0 stop
is "nothing is left of it then" "0 " "$(instances) $(stubborn)"

# One that hangs in the middle of its stop is killed when its own time is over. The
# stop has failed with that, and the restart goes on: nothing runs any more.
# promise T5, issue 7.A2
gives "start again" 0 start
within trapped
first=$(pid)
$INIT restart >/tmp/restart 2>&1 &
restart=$!
stopping() { grep -q "$NAME\[$first\]: stopping" /host/messages; }
true_that "a restart is stopping it" within stopping
kill -STOP "$first"
wait $restart
is "it hangs then: restart" 0 $? || sed 's/^/#   said: /' /tmp/restart >>/host/result
true_that "it hangs then: its stop has failed" grep -q "^Stopping $NAME: failed" /tmp/restart
true_that "it hangs then: that it was killed is said" grep -q "pid $first still runs after .*: killing it" /tmp/restart
single "it hangs then: after the restart"
true_that "it hangs then: it is another one" test "$first" != "$(pid)"

# A daemon that is stopped itself goes on, for its end.
gives "start" 0 start
kill -STOP "$(pid)"
gives "start of a stopped process" 0 start
true_that "that finds it running" said "already running"
gives "stop of a stopped process" 0 stop
is "it has ended in order" 0 "$(instances)"
gives "start" 0 start
kill -KILL "$(pid)"
gives "stop of a killed one" 0 stop
is "it has ended" 0 "$(instances)"
true_that "its socket is gone" test ! -e "${PIDFILE%.pid}.sock"
# The kernel's death signal reaches the programs, not what they have started.
gone() { ! pgrep -f "^/bin/sh -c trap" && ! tick; }
true_that "and no program outlives it" within gone
gives "status after it" 3 status
# They ignore TERM, and would cost the shutdown ten seconds.
stubborn | xargs -r kill -KILL
finish

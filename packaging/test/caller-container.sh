#!/bin/sh
# As the first process of a container: the command of Dockerfile.example with its
# keepalivedd.toml, in namespaces of its own. /run is the container's, and stays.
. /host/lib.sh

words() { sed -n "s/^$1 \[\(.*\)\]$/\1/p" /host/packaging/container/Dockerfile.example | tr -d '",'; }
command="$(words ENTRYPOINT) $(words CMD)"
is "the command" "$DAEMON -l" "$command"

# The example's programs are not in this root.
printf '#!/bin/sh\nexec sleep 86402\n' >/usr/sbin/webd
printf '#!/bin/sh\nexec sleep 86403\n' >/usr/sbin/crond
chmod 755 /usr/sbin/webd /usr/sbin/crond
cp /host/packaging/container/keepalivedd.toml $CONF
sed -i 's/^\[log\]/include = ["conf.d\/*.toml"]\n[log]/' $CONF
# Every look at it makes orphans, of which one leaves the session, too.
cat >/etc/$NAME/conf.d/tick.toml <<'TOML'
[program.orphans]
command = ["/bin/sh", "-c", "(sleep 0.2 & setsid sleep 0.3 & sleep 86404 &); sleep 0.4; exec sleep 86401"]
TOML

# up OPTION…: the container in the background; its PID 1 is $first when it is ready.
up() {
	: >/tmp/log
	unshare --pid --fork --kill-child=KILL --mount-proc --mount "$@" $command >/tmp/log 2>&1 &
	container=$!
	within grep -q 'ready pid=1 ' /tmp/log
	is "$case: ready, as PID 1" 0 $?
	first=$(pgrep -P $container)
}
inside() { nsenter -t "$first" -p -m -n "$@"; }
ends() { # WHAT STATUS
	within ended || kill -KILL "$first"
	wait $container
	is "$case: $1" "$2" $?
	is "$case: nothing is left" "0 " "$(instances) $(pgrep -f '^sleep 864')"
}
ended() { ! kill -0 "$first" 2>/dev/null; }
runs() { [ "$(pgrep -f '^sleep 8640[1-4]$' | wc -l)" = 4 ]; }
zombies() { ps -eo ppid=,stat=,comm= | awk -v p="$first" '$1 == p && $2 ~ /^Z/'; }
clean_of_zombies() { [ -z "$(zombies)" ]; }

case="a container"
up --net
is "$case: it has not gone to the background" "$first" "$(pids)"
is "$case: its pidfile" 1 "$(cat $PIDFILE)"
inside $DAEMON status
is "$case: its health check" 0 $?
true_that "$case: the programs run" within runs
is "$case: an orphan of theirs is PID 1's" "$first" "$(field "$(pgrep -f '^sleep 86404$')" PPid)"
sleep 0.3
true_that "$case: the orphans that have ended are no zombies" within clean_of_zombies
# Those of others: a hundred come in from outside.
inside sh -c 'n=0; while [ $n -lt 100 ]; do (sleep 0.1 &); n=$((n + 1)); done'
true_that "$case: nor are a hundred more" within clean_of_zombies
is "$case: its programs are counted on" 4 "$(pgrep -f '^sleep 8640[1-4]$' | wc -l)"

printf '[program.more]\ncommand = ["/bin/sleep", "86405"]\n' >/etc/$NAME/conf.d/more.toml
inside $DAEMON reload
is "$case: reload" 0 $?
true_that "$case: the new program runs" within pgrep -f '^/bin/sleep 86405$'
rm /etc/$NAME/conf.d/more.toml
kill -HUP "$first"
gone() { ! pgrep -f '^/bin/sleep 86405$'; }
true_that "$case: HUP: it has ended" within gone

cron=$(pgrep -f '^sleep 86403$')
kill -KILL "$cron"
another() { new=$(pgrep -f '^sleep 86403$') && [ "$new" != "$cron" ]; }
true_that "$case: a program that is killed comes back" within another
kill -TERM "$first"
ends "TERM ends it with" 0
true_that "$case: its pidfile has gone" test ! -e $PIDFILE

case="a second one"
up --net
kill -INT "$first"
ends "INT ends it with" 0

for net in --net ""; do
	case="killed${net:+, $net}"
	# shellcheck disable=SC2086 # no word when it is empty
	up $net
	true_that "$case: the programs run" within runs
	kill -KILL "$first"
	ends "KILL ends it; 1 is unshare's own word for that" 1
	is "$case: its pidfile is left" 1 "$(cat $PIDFILE)"
	case="restarted${net:+, $net}"
	# shellcheck disable=SC2086
	up $net
	is "$case: the same PID" 1 "$(cat $PIDFILE)"
	inside $DAEMON status
	is "$case: status" 0 $?
	kill -TERM "$first"
	ends "TERM ends it with" 0
done

# The essential program's end is the container's.
essential() { # WHAT STATUS SCRIPT
	case="essential, $1"
	printf '#!/bin/sh\nsleep 0.5\n%s\n' "$3" >/usr/sbin/webd
	up --net
	ends "its status is the container's" "$2"
}
essential "exit 7" 7 'exit 7'
essential "exit 0" 0 'exit 0'
# shellcheck disable=SC2016 # for that shell
essential "killed" 137 'kill -KILL $$'
# shellcheck disable=SC2016
essential "by TERM" 143 'kill -TERM $$'

# What cannot start says why, and ends.
echo nonsense >>$CONF
unshare --pid --fork --kill-child=KILL --mount-proc --mount --net $command >/tmp/log 2>&1
is "broken: status" 6 $?
true_that "broken: it names the place" grep -q "$CONF:[0-9]*:" /tmp/log
echo 'done' >>/host/result

#!/bin/sh
# The program replaced, missing, and another instance of it.
. /host/lib.sh

first=$(pid)
cp $DAEMON $DAEMON.new
mv $DAEMON.new $DAEMON
gives "replaced: status" 0 status
nobody_gives "replaced: status as nobody" 4 status
gives "replaced: start" 0 start
is "replaced: the old one runs" "$first" "$(pids)"
gives "replaced: reload" 0 reload
# issue 10.5: what a package's upgrade asks for.
child=$(tick)
gives "replaced: upgrade" 0 upgrade
true_that "replaced: upgrade says what came of it" said "upgraded from .*, in .* ms"
is "replaced and upgraded: the same process, and its program" "$first $child" "$(pids) $(tick)"
is "replaced and upgraded: the new one runs" $DAEMON "$(readlink "/proc/$(pid)/exe")"
clean "replaced and upgraded"
cp $DAEMON $DAEMON.new
mv $DAEMON.new $DAEMON
cp $CONF /tmp/good
echo 'nonsense = 1' >>$CONF
gives "replaced, and the configuration broken: upgrade" 1 upgrade
true_that "replaced, and the configuration broken: it says why" said "nonsense: unknown key"
is "replaced, and the configuration broken: the old one runs" "$first $child $DAEMON (deleted)" \
	"$(pids) $(tick) $(readlink "/proc/$(pid)/exe")"
cp /tmp/good $CONF
gives "replaced: restart" 0 restart
single "replaced and restarted"
is "replaced: the new one runs" $DAEMON "$(readlink "/proc/$(pid)/exe")"
cp $DAEMON $DAEMON.new
mv $DAEMON.new $DAEMON
gives "replaced: stop" 0 stop
is "replaced: it has ended" 0 "$(instances)"

# An administrator's own, in the foreground.
printf 'include = []\n[program.own]\ncommand = ["/bin/sleep", "86404"]\n' >/etc/$NAME/own.toml
$DAEMON -n -f /etc/$NAME/own.toml -p /run/own.pid &
own=$!
true_that "a foreground instance starts beside" within test -s /run/own.pid
gives "beside it: status" 3 status
gives "beside it: start" 0 start
gives "beside it: restart" 0 restart
gives "beside it: stop" 0 stop
is "it survives the stop" "$own" "$(pids)"
true_that "with its program" pgrep -f '^/bin/sleep 86404$'
true_that "and its pidfile" test "$own" = "$(cat /run/own.pid)"
kill -TERM $own
wait $own
is "TERM ends it with 0" 0 $?

mv $DAEMON $DAEMON.away
gives "no program: status" 4 status
nobody_gives "no program: status as nobody" 4 status
gives "no program: stop" 0 stop
for action in start restart try-restart condrestart reload force-reload upgrade configtest; do
	gives "no program: $action" 5 $action
done
gives "no program: no argument" 2
mv $DAEMON.away $DAEMON
finish

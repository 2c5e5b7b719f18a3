#!/bin/sh
# A broken or missing configuration: told in words, and nobody loses what runs.
. /host/lib.sh

cp $CONF /tmp/good
first=$(pid)
broken() { # WHAT, with the configuration being so
	gives "$1: configtest" 6 configtest
	true_that "$1: configtest names the file" said "$2"
	gives "$1: reload" 6 reload
	true_that "$1: reload names the file" said "$2"
	gives "$1: force-reload" 6 force-reload
	gives "$1: restart" 6 restart
	true_that "$1: restart names the file" said "$2"
	gives "$1: try-restart" 6 try-restart
	gives "$1: start of what runs" 0 start
	gives "$1: status" 0 status
	nobody_gives "$1: status as nobody" 4 status
	is "$1: the old process lives" "$first" "$(pids)"
	kill -HUP "$first"
	sleep 0.3
	is "$1: and survives a HUP" "$first" "$(pids)"
	true_that "$1: and so does its program" tick
}

sed -i '1i shutdwon_timeout = "3s"' $CONF
broken "an unknown key" "$CONF:1:1"
printf '[program.x\n' >$CONF
broken "not TOML" "$CONF:[0-9][0-9]*:[0-9]"
cp /tmp/good $CONF
echo 'nonsense = 1' >/etc/$NAME/conf.d/zz.toml
broken "an included file" "conf.d/zz.toml:1:"
rm /etc/$NAME/conf.d/zz.toml
rm $CONF
broken "no file" "$CONF"

# It must be possible to stop it all the same: a shutdown does not wait for an editor.
gives "no file: stop" 0 stop
is "no file: it has ended" 0 "$(instances)"
gives "no file: status when stopped" 3 status
gives "no file: stop when stopped" 0 stop
gives "no file: reload when stopped" 7 reload
gives "no file: start" 6 start
true_that "no file: start names it" said "$CONF"
gives "no file: restart when stopped" 6 restart
gives "no file: try-restart when stopped" 0 try-restart

echo 'shutdwon_timeout = "3s"' >$CONF
gives "broken: start" 6 start
true_that "broken: start names the place" said "$CONF:1:1"
is "nothing runs, no pidfile is left" 0 "$(instances)$(pid)"

cp /tmp/good $CONF
gives "repaired: start" 0 start
echo '[program.x' >>$CONF
gives "broken again: stop" 0 stop
is "broken again: it has ended" 0 "$(instances)"

# A change that is good reaches it.
cp /tmp/good $CONF
gives "repaired again: start" 0 start
c=$(tick)
printf '[program.more]\ncommand = ["/bin/sleep", "86402"]\n' >/etc/$NAME/conf.d/more.toml
gives "reload of a new program" 0 reload
true_that "it runs" within pgrep -f '^/bin/sleep 86402$'
is "the other one was not touched" "$c" "$(tick)"
# What the system lacks: a restart stops nothing for it, a start goes without.
# promise S8, S9, issue 7.A4
printf '[program.none]\ncommand = ["/usr/sbin/none"]\n' >/etc/$NAME/conf.d/none.toml
first=$(pid)
for action in configtest reload restart try-restart; do
	gives "a program is missing: $action" 6 $action
	true_that "a program is missing: $action says which, and where" said 'conf.d/none.toml:2:[0-9]*: .*/usr/sbin/none'
done
gives "a program is missing: start of what runs" 0 start
is "a program is missing: it is the old one" "$first" "$(pids)"
is "a program is missing: the other one was not touched" "$c" "$(tick)"
gives "a program is missing: stop" 0 stop
gives "a program is missing: start" 0 start
true_that "a program is missing: start says so" said "^Starting keepalivedd: ok"
true_that "a program is missing: and says which" said 'none.*/usr/sbin/none'
true_that "a program is missing: the other one runs" within tick
gives "a program is missing: status" 150 status
true_that "a program is missing: status names it" said none
gives "a program is missing: stop again" 0 stop
gives "a program is missing: restart of what is stopped" 0 restart
single "a program is missing"
rm /etc/$NAME/conf.d/none.toml
gives "reload without the missing one" 0 reload
c=$(tick)
rm /etc/$NAME/conf.d/more.toml
gives "reload without it" 0 reload
gone() { ! pgrep -f '^/bin/sleep 86402$'; }
true_that "it has ended" within gone
is "the other one was not touched then" "$c" "$(tick)"
finish

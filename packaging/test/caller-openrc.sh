#!/bin/sh
# OpenRC, as Debian has it, with sysvinit's init.
if [ "$1" = boot ]; then
	cp /host/packaging/openrc/keepalivedd.initd /etc/init.d/keepalivedd
	cp /host/packaging/openrc/keepalivedd.confd /etc/conf.d/keepalivedd
	rc-update add keepalivedd default >/host/rc-update 2>&1
	exec /sbin/init
fi
. /host/lib.sh

# The verbs of OpenRC, as an administrator calls them.
INIT=/host/service
printf '#!/bin/sh\nexec rc-service keepalivedd "$@"\n' >$INIT
chmod 755 $INIT

true_that "the boot has started it" within alone
single "after the boot"
clean "after the boot"
true_that "the program of conf.d runs" within tick
gives "status" 0 status
true_that "status says started" said "status: started"
nobody_gives "status as nobody, who may not ask how it is" 4 status
true_that "rc-status counts it as started" sh -c "rc-status default | grep -q 'keepalivedd.*started'"
first=$(pid)
gives "start of what runs" 0 start
is "start of what runs: it is the old one" "$first" "$(pids)"
gives "checkconfig" 0 checkconfig
gives "restart" 0 restart
single "after the restart"
true_that "after the restart: a new one" test "$first" != "$(pid)"

first=$(pid)
printf '[program.more]\ncommand = ["/bin/sleep", "86402"]\n' >/etc/$NAME/conf.d/more.toml
gives "reload of a new program" 0 reload
true_that "it runs" within pgrep -f '^/bin/sleep 86402$'
is "reload: it is the old one" "$first" "$(pids)"

echo 'nonsense = 1' >/etc/$NAME/conf.d/zz.toml
for action in reload restart checkconfig; do
	refused=$(rc-service keepalivedd $action 2>&1)
	is "broken: $action fails" 1 $(($? != 0))
	true_that "broken: $action names the place" sh -c "echo '$refused' | grep -q 'conf.d/zz.toml:1:1'"
done
is "broken: the old one lives" "$first" "$(pids)"
gives "broken: status" 0 status
rm /etc/$NAME/conf.d/zz.toml /etc/$NAME/conf.d/more.toml

# What the system lacks: a restart stops nothing for it, a start goes without.
# promise S8, S9, issue 7.A4
printf '[program.none]\ncommand = ["/usr/sbin/none"]\n' >/etc/$NAME/conf.d/none.toml
for action in reload restart checkconfig; do
	refused=$(rc-service keepalivedd $action 2>&1)
	is "a program is missing: $action fails" 1 $(($? != 0))
	true_that "a program is missing: $action names it" sh -c "echo '$refused' | grep -q 'conf.d/none.toml:2:.*/usr/sbin/none'"
done
is "a program is missing: the old one lives" "$first" "$(pids)"
gives "a program is missing: stop" 0 stop
gives "a program is missing: start" 0 start
true_that "a program is missing: start names it" said "/usr/sbin/none"
true_that "a program is missing: the other one runs" within tick
gives "a program is missing: status" 0 status
true_that "a program is missing: status says started" said "status: started, but a program is not up"
rm /etc/$NAME/conf.d/none.toml
gives "without it: reload" 0 reload
first=$(pid)

# The .apk's script after an upgrade, with the program replaced on disk. issue 10.5
replaced() {
	cp $DAEMON $DAEMON.new
	mv $DAEMON.new $DAEMON
}
post_upgrade() { sh /host/packaging/apk/post-upgrade >/tmp/said 2>&1; }
child=$(tick)
replaced
true_that "replaced: post-upgrade" post_upgrade
true_that "replaced: it says what came of it" said "upgraded from .*, in .* ms"
is "replaced: the new one runs, as the same process with its program" "$first $child $DAEMON" \
	"$(pids) $(tick) $(readlink "/proc/$first/exe")"
gives "replaced: status" 0 status
echo 'nonsense = 1' >/etc/$NAME/conf.d/zz.toml
replaced
true_that "replaced and broken: post-upgrade does not fail" post_upgrade
true_that "replaced and broken: it says why" said "conf.d/zz.toml:1:1"
true_that "replaced and broken: it says what runs" said "what runs could not be upgraded, see above; it was not restarted"
is "replaced and broken: the old one runs" "$first $child $DAEMON (deleted)" "$(pids) $(tick) $(readlink "/proc/$first/exe")"
rm /etc/$NAME/conf.d/zz.toml
gives "repaired: upgrade, as it was told" 0 upgrade
is "repaired: the new one runs" "$first $child $DAEMON" "$(pids) $(tick) $(readlink "/proc/$first/exe")"

kill -KILL "$first"
gone() { [ "$(instances)" -eq 0 ] && ! tick; }
true_that "kill -9: neither it nor its program is left" within gone
gives "kill -9: status" 32 status
true_that "kill -9: status says crashed" said "status: crashed"
nobody_gives "kill -9: status as nobody" 32 status
# OpenRC's own doing, with every script; README.md says what to call instead.
gives "kill -9: start" 0 start
true_that "kill -9: start finds it started" said "already been started"
gives "kill -9: restart" 0 restart
single "kill -9 and restart"
gives "kill -9 and restart: status" 0 status

kill -KILL "$(pid)"
within gone
gives "kill -9 again: stop" 0 stop
gives "kill -9 and stop: status" 3 status
true_that "kill -9 and stop: no pidfile is left" test ! -e $PIDFILE
nobody_gives "stopped: status as nobody" 3 status

mv $CONF $CONF.away
refused=$(rc-service keepalivedd start 2>&1)
is "no configuration: start fails" 1 $(($? != 0))
true_that "no configuration: start names it" sh -c "echo '$refused' | grep -q $CONF"
gives "no configuration: status" 3 status
mv $CONF.away $CONF

gives "start" 0 start
single "started"
gives "stop" 0 stop
is "stop: nothing is left" "0 " "$(instances) $(tick)"
true_that "stopped: post-upgrade" post_upgrade
is "stopped: it stays so, with no word" "0 " "$(instances) $(cat /tmp/said)"
gives "stop of what is stopped" 0 stop

# By hand, behind OpenRC's back: nothing is started a second time.
$DAEMON
first=$(pid)
gives "by hand: start" 0 start
is "by hand: it is the old one" "$first" "$(pids)"
finish

#!/bin/sh
# The whole life of the .deb under a booted sysvinit, in a Debian without Go: in
# /host are old.deb and new.deb. Started by packages.sh.
. /host/lib.sh

DEFAULTS=/etc/default/$NAME
export DEBIAN_FRONTEND=noninteractive
# A configuration whose default changes in the new one is kept without asking.
package() { # ARGUMENTS of dpkg; what it said is in /tmp/said
	dpkg --force-confdef --force-confold "$@" >/tmp/said 2>&1
}
install_() { # WHAT FILE
	package -i "/host/$2"
	is "$1: dpkg" 0 $? || sed 's/^/#   said: /' /tmp/said >>/host/result
}
# service SERVICE ACTION is what an administrator types.
service_gives() {
	what=$1 want=$2
	shift 2
	timeout 60 service $NAME "$@" >/tmp/said 2>&1
	is "$what" "$want" $? || sed 's/^/#   said: /' /tmp/said >>/host/result
}
# The log is written by another process: a mark behind all that came before.
settled() {
	mark="settled $(date +%N)"
	logger -t session "$mark"
	within grep -q "$mark" /host/messages
}
count() { grep -c "$NAME\[[0-9]*\]: .*$1" /host/messages; }
# By process: who takes over from itself is ready too.
starts() { settled && sed -n "s/.*$NAME\[\([0-9]*\)\]: .*\bready\b.*/\1/p" /host/messages | sort -u | wc -l; }
stops() { settled && count '\bstopped\b'; }
# The links without their numbers: insserv gives new ones to others, too.
links() { find /etc/rc?.d -name '[SK]*' | sed 's|/\([SK]\)[0-9]*|/\1|' | sort; }
files() {
	find / -xdev \( -path /host -o -path /proc -o -path /dev -o -path /tmp -o -path /sys -o -path '/etc/rc?.d' \
		-o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log/dpkg.log -o -path '/etc/init.d/.depend.*' \) \
		-prune -o -print | sort
	find /run | sort
}
version_runs() { "/proc/$(pid)/exe" --version; }

true_that "no Go here" test -z "$(command -v go)"
files >/tmp/files.before
links >/tmp/links.before

# A fresh install starts it.
install_ "fresh install" old.deb
gives "fresh install: status" 0 status
service_gives "fresh install: service status" 0 status
true_that "fresh install: it says running" said "keepalivedd is running"
single "fresh install"
is "fresh install: one start, no stop" "1 0" "$(starts) $(stops)"
is "fresh install: S links" 4 "$(links | grep -c 'rc[2345].d/S'$NAME)"
is "fresh install: K links" 3 "$(links | grep -c 'rc[016].d/K'$NAME)"
is "conffiles" "$DEFAULTS $INIT $CONF /etc/logrotate.d/$NAME /etc/needrestart/conf.d/$NAME.conf" \
	"$(dpkg-query -W -f '${Conffiles}\n' $NAME | awk 'NF { print $1 }' | sort | tr '\n' ' ' | sed 's/ $//')"
true_that "conf.d is there" test -d /etc/$NAME/conf.d

# The administrator's changes.
cat >/etc/$NAME/conf.d/tick.toml <<'EOT'
[program.tick]
command = ["/bin/sleep", "86401"]
output = "/var/log/keepalivedd/tick.log"
EOT
sed -i 's/^#shutdown_timeout = .*/shutdown_timeout = "20s"/' $CONF
echo '# by hand' >>$DEFAULTS
service_gives "edited: reload" 0 reload
true_that "its program runs" within tick
is "no restart by the reload" "1 0" "$(starts) $(stops)"

# Wrongly edited: told with its place, and nothing is lost.
first=$(pid)
cp $CONF /tmp/good
sed -i '1i shutdwon_timeout = "3s"' $CONF
service_gives "edited wrongly: reload" 6 reload
true_that "edited wrongly: file, line and column" said "$CONF:1:1: shutdwon_timeout: unknown key; did you mean"
service_gives "edited wrongly: restart" 6 restart
true_that "edited wrongly: restart says it too" said "$CONF:1:1: "
service_gives "edited wrongly: status" 0 status
is "edited wrongly: the old one runs on" "$first" "$(pids)"

# An upgrade meanwhile leaves it alone, and succeeds. issue 10.5
ticks=$(tick)
install_ "upgrade with a broken configuration" new.deb
true_that "upgrade with a broken configuration: it says why" said "$CONF:1:1: "
true_that "upgrade with a broken configuration: it says what runs" said "what runs could not be upgraded, see above; it was not restarted"
true_that "upgrade with a broken configuration: it says what to do" said "hint: when that is repaired: service $NAME upgrade"
is "upgrade with a broken configuration: the old one runs on" "$first" "$(pids)"
is "upgrade with a broken configuration: of the old version" "$NAME v0.1.0" "$(version_runs)"
is "upgrade with a broken configuration: and so does its program" "$ticks" "$(tick)"
is "upgrade with a broken configuration: installed" "ii " "$(dpkg-query -W -f '${db:Status-Abbrev}' $NAME)"
is "upgrade with a broken configuration: no stop" "1 0" "$(starts) $(stops)"
gives "upgrade with a broken configuration: status" 0 status
cp /tmp/good $CONF
service_gives "repaired: upgrade, as it was told" 0 upgrade
true_that "repaired: it says what came of it" said "upgraded from v0.1.0 to v0.1.1"
is "repaired: the new version runs" "$NAME v0.1.1" "$(version_runs)"
is "repaired: the same process, and its program" "$first $ticks" "$(pids) $(tick)"
install_ "back to the old one" old.deb
is "back to the old one: it runs" "$NAME v0.1.0" "$(version_runs)"

# A program that the next start could not have, and one that it would fail with, are no
# business of an upgrade: no program is started. issue 7.A4, 10.5
printf '[program.none]\ncommand = ["/usr/sbin/none"]\n' >/etc/$NAME/conf.d/none.toml
printf '[program.fails]\ncommand = ["/bin/false"]\nready = "1s"\nrestart = "never"\nrequired = true\n' >/etc/$NAME/conf.d/fails.toml
install_ "upgrade with a program missing" new.deb
is "upgrade with a program missing: the new version runs" "$NAME v0.1.1" "$(version_runs)"
is "upgrade with a program missing: the same process, and its program" "$first $ticks" "$(pids) $(tick)"
rm /etc/$NAME/conf.d/none.toml /etc/$NAME/conf.d/fails.toml

# A version that does not know what the one before has left, as after a downgrade.
install_ "upgrade to one that cannot take over" unknowing.deb
true_that "upgrade to one that cannot take over: it says why" said "state of the service: .*known are those up to 0"
true_that "upgrade to one that cannot take over: it says what runs" said "it was not restarted"
true_that "upgrade to one that cannot take over: it says what is left to do" said "service $NAME restart, which stops and starts"
is "upgrade to one that cannot take over: the old one runs on" "$first $ticks" "$(pids) $(tick)"
is "upgrade to one that cannot take over: of the old version" "$NAME v0.1.1" "$(version_runs)"
is "upgrade to one that cannot take over: installed" "ii " "$(dpkg-query -W -f '${db:Status-Abbrev}' $NAME)"
gives "upgrade to one that cannot take over: status" 0 status
install_ "back to the old one again" old.deb
is "back to the old one again: it runs" "$NAME v0.1.0" "$(version_runs)"

# An upgrade restarts nothing, and keeps what was edited.
install_ "upgrade" new.deb
single "upgrade"
is "upgrade: the new version runs" "$NAME v0.1.1" "$(version_runs)"
is "upgrade: its file is the package's" $DAEMON "$(readlink "/proc/$(pid)/exe")"
is "upgrade: the same process, and its program" "$first $ticks" "$(pids) $(tick)"
is "upgrade: all that was one start, and no stop" "1 0" "$(starts) $(stops)"
true_that "upgrade: the edited configuration is kept" cmp -s /tmp/good $CONF
true_that "upgrade: the new one's lies beside it" grep -q "of the new version" $CONF.dpkg-dist
true_that "upgrade: the edited defaults are kept" grep -q '^# by hand' $DEFAULTS

# Where the administrator's policy forbids it, nothing is done.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
install_ "upgrade that policy-rc.d forbids" old.deb
true_that "upgrade that policy-rc.d forbids: it says so" said "policy-rc.d denied"
is "upgrade that policy-rc.d forbids: the old one runs on" "$NAME v0.1.1 $first" "$(version_runs) $(pids)"
printf '#!/bin/sh\nexit 0\n' >/usr/sbin/policy-rc.d
install_ "and where it does not" new.deb

# With a program that is not up, which status tells by 150.
printf '[program.down]\ncommand = ["/bin/false"]\nrestart = "never"\n' >/etc/$NAME/conf.d/down.toml
gives "a program is down: reload" 0 reload
down() { $INIT status >/dev/null 2>&1; [ $? -eq 150 ]; }
true_that "a program is down: status 150" within down
first=$(pid)
gives "a program is down: start of what runs" 0 start
is "a program is down: the same process" "$first" "$(pids)"
before="$(starts) $(stops)"
install_ "a program is down: upgrade" old.deb
is "a program is down: no start and no stop" "$before" "$(starts) $(stops)"
is "a program is down: the other version runs" "$NAME v0.1.0 $first" "$(version_runs) $(pids)"
true_that "a program is down: still" within down
gives "a program is down: try-restart" 0 try-restart
true_that "a program is down: it was restarted" test "$first" != "$(pid)"
within down
service_gives "a program is down: service status" 150 status
true_that "a program is down: it is named" said down
nobody_gives "a program is down: status as nobody" 4 status
first=$(pid)
gives "a program is down: reload again" 0 reload
gives "a program is down: restart" 0 restart
true_that "a program is down: restarted" test "$first" != "$(pid)"
rm /etc/$NAME/conf.d/down.toml
gives "no program is down: reload" 0 reload
gives "no program is down: status" 0 status

# What was stopped stays so.
gives "stopped: stop" 0 stop
before="$(starts) $(stops)"
install_ "upgrade while stopped" new.deb
true_that "upgrade while stopped: nothing is said of it" test -z "$(grep -i "upgrad.* $NAME:\|hint" /tmp/said)"
gives "upgrade while stopped: status" 3 status
is "upgrade while stopped: nothing was started" "$before" "$(starts) $(stops)"

# With a broken configuration as well, and nothing to say of it.
echo 'nonsense = 1' >>$CONF
install_ "upgrade while stopped and broken" old.deb
gives "upgrade while stopped and broken: status" 3 status
cp /tmp/good $CONF

# The administrator's own links survive.
update-rc.d $NAME disable
is "disabled: no S link" 0 "$(links | grep -c 'rc[2345].d/S'$NAME)"
links | grep $NAME >/tmp/links.disabled
install_ "upgrade while disabled" new.deb
is "upgrade while disabled: the links are the same" "$(cat /tmp/links.disabled)" "$(links | grep $NAME)"
gives "upgrade while disabled: status" 3 status
update-rc.d $NAME enable
install_ "upgrade while enabled again" old.deb
is "upgrade while enabled again: S links" 4 "$(links | grep -c 'rc[2345].d/S'$NAME)"
gives "enabled again: start" 0 start

# logrotate's part, if the root has none: the same commands.
rotate() {
	mv /var/log/$NAME/tick.log /var/log/$NAME/tick.log.1
	sed -n '/postrotate/,/endscript/p' /etc/logrotate.d/$NAME | sed '1d;$d' >/tmp/postrotate
	sh /tmp/postrotate >/tmp/said 2>&1
}
true_that "its log is there" within test -e /var/log/$NAME/tick.log
rotate
is "logrotate's commands end with" 0 $?
true_that "and it has opened its log anew" within test -e /var/log/$NAME/tick.log

# Removed: it stops, the conffiles stay, and the script is told that it is alone.
package -r $NAME
is "remove: dpkg" 0 $?
is "remove: nothing runs" "0 " "$(instances) $(tick)"
true_that "remove: the conffiles stay" cmp -s /tmp/good $CONF
true_that "remove: nothing calls the script" test ! -x $INIT
RUNNER="sh"
gives "remove: status" 4 status
gives "remove: stop" 0 stop
gives "remove: start" 5 start
gives "remove: restart" 5 restart
# shellcheck disable=SC2034 # for gives
RUNNER=
is "remove: nothing in /run" "" "$(find /run -name "$NAME*")"

# Again: it starts, with what was edited.
install_ "installed again" old.deb
gives "installed again: status" 0 status
true_that "installed again: the edited configuration" cmp -s /tmp/good $CONF
true_that "installed again: the program runs" within tick
is "installed again: nothing left in /run of it" "" "$(find /run -name "$NAME.reinstalled")"

# Removed while it does not even start: broken.
echo 'nonsense = 1' >>$CONF
package -r $NAME
is "remove with a broken configuration: dpkg" 0 $?
is "remove with a broken configuration: nothing runs" "0 " "$(instances) $(tick)"
install_ "installed again, broken" new.deb
true_that "installed again, broken: it says why" said "nonsense: unknown key"
true_that "installed again, broken: it says that it was not started" said "could not be started"
gives "installed again, broken: status" 3 status
is "installed again, broken: installed" "ii " "$(dpkg-query -W -f '${db:Status-Abbrev}' $NAME)"
cp /tmp/good $CONF
service_gives "repaired again: start" 0 start

# Purged: nothing is left but what was never the package's.
package -P $NAME
is "purge: dpkg" 0 $?
is "purge: nothing runs" "0 " "$(instances) $(tick)"
true_that "purge: the administrator's own file is not the package's" test -e /etc/$NAME/conf.d/tick.toml
rm -r "${CONF%/*}"
files >/tmp/files.after
is "purge: no file is left" "" "$(diff /tmp/files.before /tmp/files.after | grep '^[<>]')"
links >/tmp/links.after
is "purge: no link is left, nor lost" "" "$(diff /tmp/links.before /tmp/links.after)"
is "purge: dpkg knows nothing of it" "" "$(dpkg-query -W $NAME 2>/dev/null)"

# For the shutdown, which stops it as any other.
install_ "for the shutdown" new.deb
finish

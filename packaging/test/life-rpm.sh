#!/bin/bash
# life-rpm.sh ROOT OLD NEW UNKNOWING: installs, upgrades and erases the .rpm in ROOT, in a
# namespace of processes of its own. Started by packages.sh, which reads what it
# prints.
set -u
root=$1 old=$2 new=$3 unknowing=$4

mount -t proc proc "$root/proc" || exit 1
mount -t tmpfs tmpfs "$root/run" || exit 1
# /var/lock is a link to it, and rpm's machines have the directory.
mkdir -p "$root/run/lock/subsys"
mount -t tmpfs tmpfs "$root/dev" || exit 1
mknod -m 666 "$root/dev/null" c 1 3

is() {
	if [ "$2" = "$3" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		printf '%s\n' "wanted: $2" "got: $3" | sed 's/^/#   /'
	fi
}
true_that() {
	local what=$1
	shift
	if "$@"; then is "$what" 0 0; else is "$what" "success of: $*" "status $?"; fi
}
package() { # WHAT ARGUMENTS of rpm
	local what=$1
	shift
	rpm --root "$root" --dbpath /var/lib/rpm --nodeps "$@" >"$root/said" 2>&1
	is "$what: rpm" 0 $? || sed 's/^/#   said: /' "$root/said"
	cat "$root/said" >&2
}
in_root() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" "$@"; }
init() { in_root /etc/rc.d/init.d/keepalivedd "$@" >/dev/null 2>&1; }
gives() { # WHAT STATUS ACTION
	init "$3"
	is "$1" "$2" $?
}
pid() { cat "$root/run/keepalivedd.pid" 2>/dev/null; }
version_runs() { in_root "/proc/$(pid)/exe" --version; }
ticks() { pgrep -f '^/bin/sleep 86401$'; }
said() { grep -q "$1" "$root/said"; }
conf=$root/etc/keepalivedd/keepalivedd.toml

package "install" -i "$old"
is "install: chkconfig is asked" "--add keepalivedd" "$(cat "$root/chkconfig.log")"
gives "install: not started, as is the custom there" 3 status
mkdir -p "$root/etc/keepalivedd/conf.d"
printf '[program.tick]\ncommand = ["/bin/sleep", "86401"]\n' >"$root/etc/keepalivedd/conf.d/tick.toml"
gives "start" 0 start
true_that "start: /var/lock/subsys" test -e "$root/run/lock/subsys/keepalivedd"
true_that "the sysconfig file" test -f "$root/etc/sysconfig/keepalivedd"
is "rpm -V: nothing is changed" "" "$(rpm --root "$root" --dbpath /var/lib/rpm -V --nodeps keepalivedd)"

sed -i 's/^#shutdown_timeout = .*/shutdown_timeout = "20s"/' "$conf"
cp "$conf" "$root/good"
first=$(pid)
echo 'nonsense = 1' >>"$conf"
cp "$conf" "$root/broken"
sleeper=$(ticks)
package "upgrade with a broken configuration" -U "$new"
is "upgrade with a broken configuration: the old one runs on" "$first $sleeper" "$(pid) $(ticks)"
is "upgrade with a broken configuration: of the old version" "keepalivedd v0.1.0" "$(version_runs)"
true_that "upgrade with a broken configuration: it says why" said "keepalivedd.toml:.*nonsense: unknown key"
true_that "upgrade with a broken configuration: it says what runs" said "what runs could not be upgraded, see above; it was not restarted"
true_that "upgrade with a broken configuration: it says what to do" said "hint: when that is repaired: /etc/rc.d/init.d/keepalivedd upgrade"
true_that "upgrade: the edited configuration is kept" cmp -s "$root/broken" "$conf"
true_that "upgrade: the new one is .rpmnew" grep -q "of the new version" "$conf.rpmnew"
gives "upgrade with a broken configuration: status" 0 status
cp "$root/good" "$conf"

package "back to the old one" -U --oldpackage "$old"
rm -f "$conf.rpmnew"
package "upgrade" -U "$new"
true_that "upgrade: it says so" said "upgraded from v0.1.0 to v0.1.1"
is "upgrade: the new version runs" "keepalivedd v0.1.1" "$(version_runs)"
is "upgrade: the same process, and its program" "$first $sleeper" "$(pid) $(ticks)"
is "upgrade: one runs" 1 "$(in_root pgrep -c -x keepalivedd)"
is "upgrade: chkconfig was not asked to delete" "" "$(grep -e --del "$root/chkconfig.log")"

# A version that does not know what the one before has left.
package "upgrade to one that cannot take over" -U "$unknowing"
true_that "upgrade to one that cannot take over: it says why" said "state of the service: .*known are those up to 0"
true_that "upgrade to one that cannot take over: it says what is left to do" said "service keepalivedd restart, which stops and starts"
is "upgrade to one that cannot take over: the old one runs on" "$first $sleeper" "$(pid) $(ticks)"
is "upgrade to one that cannot take over: of the old version" "keepalivedd v0.1.1" "$(version_runs)"
package "and back" -U --oldpackage "$old"

gives "stop" 0 stop
package "upgrade while stopped" -U "$new"
gives "upgrade while stopped: stays stopped" 3 status
gives "start again" 0 start

package "erase" -e keepalivedd
is "erase: nothing runs" 0 "$(in_root pgrep -c -x keepalivedd)"
is "erase: chkconfig is asked" "--del keepalivedd" "$(tail -n 1 "$root/chkconfig.log")"
true_that "erase: the edited configuration is .rpmsave" cmp -s "$root/good" "$conf.rpmsave"
rm -f "$conf".rpm* "$root/etc/keepalivedd/conf.d/tick.toml"
rmdir "$root/etc/keepalivedd/conf.d" "$root/etc/keepalivedd" 2>/dev/null
is "erase: nothing is left" "" "$(cd "$root" && find etc usr var run lib sbin -name '*keepalivedd*')"
exit 0

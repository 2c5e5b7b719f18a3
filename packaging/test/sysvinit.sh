#!/bin/bash
# sysvinit.sh BINARY: installs BINARY with its init script in a small Debian,
# boots it with sysvinit as PID 1 in namespaces, once for each session-*.sh, and
# prints what they found: a line "ok - …" or "not ok - …" for each assertion, and
# the count. The status is 0 if nothing failed. Only as root.
#
# ONLY="lsb pidfile" chooses sessions; KEEP=1 keeps the output and tells where.
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=host.sh
. "$here/host.sh"
binary=$(binary "$@") || exit
as_root "booting sysvinit in namespaces" || exit 0

root=$work/root
unpack sysvinit "$root" || exit 1
furnish "$root" "$binary"
install -m 755 "$packaging/init.d/keepalivedd" "$root/etc/init.d/keepalivedd"
install -m 644 "$packaging/default/keepalivedd" "$root/etc/default/keepalivedd"
chroot "$root" update-rc.d keepalivedd defaults || exit 1

for script in "$here"/session-*.sh; do
	script=${script##*/}
	name=${script#session-}
	name=${name%.sh}
	chosen "$name" || continue
	# The end is the same for all of them: telinit 0 with the daemon running.
	session "$name" "$root" "$script" 130 /sbin/init
	logged_to_the_end "$name"
	# What a session says that the shutdown is to do, and what was done.
	if [ -e "$work/$name/expected" ]; then
		true_that "$name: the shutdown ended every program by TERM, in reverse" cmp "$work/$name/expected" "$work/$name/ended"
	fi
done
count

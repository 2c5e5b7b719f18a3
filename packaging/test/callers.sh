#!/bin/bash
# callers.sh BINARY: runs BINARY under each of its other callers with the files of
# packaging: OpenRC, sysvinit's and busybox's inittab, runit, s6, a player of
# systemd's part, and as the first process of a container. Each caller-*.sh that is
# a session is run in namespaces over a throw-away root; a line "ok - …" or
# "not ok - …" for each assertion, "skipped - …" with the reason, and the count. The
# status is 0 if nothing failed. Only as root.
#
# ONLY="scripts unit openrc s6" chooses; KEEP=1 keeps the output and tells where.
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=host.sh
. "$here/host.sh"
binary=$(binary "$@") || exit
as_root "the other callers, in namespaces" || exit 0

# caller NAME KIND STATUS: runs caller-NAME.sh, first of all as PID 1, over a root of
# that kind, which is made at its first use.
caller() {
	local root=$work/root-$2
	chosen "$1" || return 0
	if [ ! -d "$root" ]; then
		true_that "$1: the root can be made" unpack "$2" "$root" || return
		furnish "$root" "$binary"
	fi
	mkdir "$work/$1"
	cp -R "$packaging" "$work/$1/packaging"
	session "$1" "$root" "caller-$1.sh" "$3" /host/session boot
	[ "$3" -ne 130 ] || logged_to_the_end "$1"
}

# The unit as it is, and with every line in force that is commented out.
unit() {
	chosen unit || return 0
	if ! command -v systemd-analyze >/dev/null; then
		echo "skipped - unit: systemd-analyze is not installed"
		return
	fi
	local verify said
	for verify in "as it is" "with the sandbox of its comment"; do
		local tree=$work/unit
		rm -rf "$tree"
		mkdir -p "$tree/usr/sbin" "$tree/usr/lib/systemd/system"
		install -m 755 "$binary" "$tree/usr/sbin/keepalivedd"
		case $verify in
		as*) cp "$packaging/systemd/keepalivedd.service" "$tree/usr/lib/systemd/system/" ;;
		*) sed 's/^#\([A-Z][A-Za-z]*=\)/\1/' "$packaging/systemd/keepalivedd.service" >"$tree/usr/lib/systemd/system/keepalivedd.service" ;;
		esac
		said=$(timeout 20 systemd-analyze --root="$tree" --man=no --recursive-errors=no verify keepalivedd.service 2>&1)
		is "unit: systemd-analyze verify, $verify" "0 " "$? $said"
	done
}

# The scripts that are installed, without running them.
scripts() {
	chosen scripts || return 0
	local file checker
	for file in openrc/keepalivedd.initd openrc/keepalivedd.confd runit/run runit/finish runit/check runit/log/run \
		s6/run s6/finish s6/log/run; do
		for checker in "dash -n" "busybox sh -n" "shellcheck -s dash -e SC2034" "checkbashisms -f"; do
			case "$checker $file" in checkbashisms*.confd) continue ;; esac # it wants a first line
			# shellcheck disable=SC2086 # words
			if ! command -v "${checker%% *}" >/dev/null; then
				echo "skipped - scripts: $checker $file: ${checker%% *} is not installed"
			else
				true_that "scripts: $checker $file" timeout 60 $checker "$packaging/$file"
			fi
		done
		case $file in
		*.confd) ;;
		*) true_that "scripts: $file may be executed" test -x "$packaging/$file" ;;
		esac
	done
}

scripts
unit
cache=${KEEPALIVEDD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/keepalivedd}
if ! command -v zstd >/dev/null; then
	echo "skipped - the sessions: zstd is not installed"
elif ! command -v mmdebstrap >/dev/null && ! ls "$cache"/callers-*.tar.zst >/dev/null 2>&1; then
	echo "skipped - the sessions: mmdebstrap is not installed, and no root of it is in the cache"
else
	caller openrc callers 130
	caller respawn sysvinit 130
	caller busybox callers 130
	caller runit callers 0
	caller s6 callers 0
	caller notify callers 0
	caller container callers 0
fi

count

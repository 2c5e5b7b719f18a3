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
if [ $# -ne 1 ] || [ ! -x "$1" ]; then
	echo "usage: $0 BINARY" >&2
	exit 2
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "skipped - the other callers: their namespaces need root"
	exit 0
fi
binary=$(realpath "$1")
packaging=$(dirname "$here")

work=$(mktemp -d "${TMPDIR:-/tmp}/keepalivedd-callers.XXXXXX") || exit 1
boot=
cleanup() {
	# Ends the namespaces with everything in them, if one is under way.
	[ -z "$boot" ] || kill "$boot" 2>/dev/null
	wait
	if [ -n "${KEEP:-}" ]; then echo "kept: $work"; else rm -rf "$work"; fi
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

passed=0
failed=0
tell() { # ok|"not ok" WHAT
	if [ "$1" = ok ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
	echo "$1 - $2"
}
chosen() {
	[ -z "${ONLY:-}" ] && return
	case " $ONLY " in *" $1 "*) ;; *) return 1 ;; esac
}

# root KIND: a root with the program, unpacked at its first use.
root() {
	root=$work/root-$1
	[ ! -d "$root" ] || return 0
	local script=caller-mkroot.sh tarball
	[ "$1" = callers ] || script=mkroot.sh
	tarball=$("$here/$script") || return
	mkdir "$root" && tar -C "$root" --zstd -xf "$tarball" || return
	install -m 755 "$binary" "$root/usr/sbin/keepalivedd"
	mkdir -p "$root/etc/keepalivedd/conf.d"
	install -m 644 "$packaging/conf/keepalivedd.toml" "$root/etc/keepalivedd/keepalivedd.toml"
	# A program to keep alive, that every session can find by its argument.
	printf '[program.tick]\ncommand = ["/bin/sleep", "86401"]\n' >"$root/etc/keepalivedd/conf.d/tick.toml"
}

# session NAME ROOT STATUS: runs caller-NAME.sh, first of all as PID 1.
session() {
	local name=$1 out=$work/$1 status began line
	chosen "$name" || return 0
	root "$2" || {
		tell "not ok" "$name: the root could be made"
		return
	}
	mkdir "$out"
	cp "$here/lib.sh" "$out/lib.sh"
	cp -R "$packaging" "$out/packaging"
	install -m 755 "$here/caller-$name.sh" "$out/session"
	: >"$out/result"
	began=$(date +%s)
	timeout -k 5 "${TIMEOUT:-60}" "$here/boot.sh" "$root" "$out" /host/session boot >"$out/boot" 2>&1 </dev/null &
	boot=$!
	wait "$boot"
	status=$?
	boot=
	echo "# $name: $(($(date +%s) - began)) s"
	while IFS= read -r line; do
		case $line in
		'ok - '*) tell ok "$name: ${line#ok - }" ;;
		'not ok - '*) tell 'not ok' "$name: ${line#not ok - }" ;;
		'done') ;;
		*) echo "$line" ;;
		esac
	done <"$out/result"
	if grep -qx "done" "$out/result"; then
		tell ok "$name: the session came to its end"
	else
		tell 'not ok' "$name: the session came to its end"
		tail -n 5 "$out/session.log" "$out/boot" | sed 's/^/#   /'
	fi
	if [ $status -eq "$3" ]; then
		tell ok "$name: the system ended with $3"
	else
		tell 'not ok' "$name: the system ended with $3 (status $status)"
	fi
	[ "$3" -eq 130 ] || return 0
	# In the file before the syslogd's own last line, if it has one: the daemon had
	# stopped while its log was still up.
	if awk '/session: going down/ { m = NR } /keepalivedd.*: .*stopped/ { s = NR } /syslogd exiting/ { e = NR }
		END { exit !(m && m < s && (!e || s < e)) }' "$out/messages"; then
		tell ok "$name: the shutdown stopped the daemon while syslogd was still up"
	else
		tell 'not ok' "$name: the shutdown stopped the daemon while syslogd was still up"
		tail -n 8 "$out/messages" | sed 's/^/#   /'
	fi
}

# The unit as it is, and with every line in force that is commented out.
unit() {
	chosen unit || return 0
	if ! command -v systemd-analyze >/dev/null; then
		echo "skipped - unit: systemd-analyze is not installed"
		return
	fi
	local verify said status
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
		status=$?
		if [ $status -eq 0 ] && [ -z "$said" ]; then
			tell ok "unit: systemd-analyze verify, $verify"
		else
			tell 'not ok' "unit: systemd-analyze verify, $verify"
			printf '%s\n' "status $status" "$said" | sed 's/^/#   /'
		fi
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
			elif timeout 60 $checker "$packaging/$file"; then
				tell ok "scripts: $checker $file"
			else
				tell 'not ok' "scripts: $checker $file"
			fi
		done
		case $file in
		*.confd) ;;
		*) if [ -x "$packaging/$file" ]; then tell ok "scripts: $file may be executed"; else tell 'not ok' "scripts: $file may be executed"; fi ;;
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
	session openrc callers 130
	session respawn sysvinit 130
	session busybox callers 130
	session runit callers 0
	session s6 callers 0
	session notify callers 0
	session container callers 0
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

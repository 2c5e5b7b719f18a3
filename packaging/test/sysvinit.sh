#!/bin/bash
# sysvinit.sh BINARY: installs BINARY with its init script in a small Debian,
# boots it with sysvinit as PID 1 in namespaces, once for each session-*.sh, and
# prints what they found: a line "ok - …" or "not ok - …" for each assertion, and
# the count. The status is 0 if nothing failed. Only as root.
#
# ONLY="lsb pidfile" chooses sessions; KEEP=1 keeps the output and tells where.
set -u

here=$(cd "$(dirname "$0")" && pwd)
if [ $# -ne 1 ] || [ ! -x "$1" ]; then
	echo "usage: $0 BINARY" >&2
	exit 2
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "skipped: booting sysvinit in namespaces needs root"
	exit 0
fi
binary=$(realpath "$1")

work=$(mktemp -d "${TMPDIR:-/tmp}/keepalivedd-sysvinit.XXXXXX") || exit 1
boot=
cleanup() {
	# Ends the namespaces with everything in them, if a boot is under way.
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

tarball=$("$here/mkroot.sh") || exit 1
root=$work/root
mkdir "$root" && tar -C "$root" --zstd -xf "$tarball" || exit 1

install -m 755 "$binary" "$root/usr/sbin/keepalivedd"
install -m 755 "$here/../init.d/keepalivedd" "$root/etc/init.d/keepalivedd"
install -m 644 "$here/../default/keepalivedd" "$root/etc/default/keepalivedd"
mkdir -p "$root/etc/keepalivedd/conf.d"
install -m 644 "$here/../conf/keepalivedd.toml" "$root/etc/keepalivedd/keepalivedd.toml"
# A program to keep alive, that every session can find by its argument.
cat >"$root/etc/keepalivedd/conf.d/tick.toml" <<'END'
[program.tick]
command = ["/bin/sleep", "86401"]
END
chroot "$root" update-rc.d keepalivedd defaults || exit 1

for session in "$here"/session-*.sh; do
	name=${session##*/session-}
	name=${name%.sh}
	if [ -n "${ONLY:-}" ]; then
		case " $ONLY " in *" $name "*) ;; *) continue ;; esac
	fi
	out=$work/$name
	mkdir "$out"
	cp "$here/lib.sh" "$out/lib.sh"
	install -m 755 "$session" "$out/session"
	: >"$out/result"

	began=$(date +%s)
	timeout -k 5 "${TIMEOUT:-90}" "$here/boot.sh" "$root" "$out" /sbin/init >"$out/boot" 2>&1 </dev/null &
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

	# And the end, the same for all of them: telinit 0 with the daemon running.
	if grep -qx "done" "$out/result"; then
		tell ok "$name: the session came to its end"
	else
		tell 'not ok' "$name: the session came to its end"
	fi
	if [ $status -eq 130 ]; then
		tell ok "$name: the system halted"
	else
		tell 'not ok' "$name: the system halted (status $status)"
	fi
	# In the file before the syslogd's own last line: the daemon had stopped
	# while its log was still up.
	if awk '/session: going down/ { m = NR } /keepalivedd.*: .*stopped/ { s = NR } /syslogd exiting/ { e = NR } END { exit !(m && m < s && s < e) }' "$out/messages"; then
		tell ok "$name: the shutdown stopped the daemon while syslogd was still up"
	else
		tell 'not ok' "$name: the shutdown stopped the daemon while syslogd was still up"
		tail -n 5 "$out/messages" | sed 's/^/#   /'
	fi
	# What a session says that the shutdown is to do, and what was done.
	if [ -e "$out/expected" ]; then
		if cmp -s "$out/expected" "$out/ended"; then
			tell ok "$name: the shutdown ended every program by TERM, in reverse"
		else
			tell 'not ok' "$name: the shutdown ended every program by TERM, in reverse ($(wc -l <"$out/ended") of $(wc -l <"$out/expected"))"
		fi
	fi
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

# shellcheck shell=bash
# host.sh: what the tests have in common that run on the host: a scratch directory,
# $work; counting; sessions in namespaces. They source it, and end with "count".

# shellcheck disable=SC2154 # here is theirs
packaging=$(dirname "$here")
work=$(mktemp -d "${TMPDIR:-/tmp}/keepalivedd-$(basename "$0" .sh).XXXXXX") || exit 1
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

# is WHAT WANTED GOT
is() {
	if [ "$2" = "$3" ]; then
		passed=$((passed + 1))
		echo "ok - $1"
	else
		failed=$((failed + 1))
		echo "not ok - $1"
		printf '%s\n' "wanted: $2" "got: $3" | sed 's/^/#   /'
		return 1
	fi
}

# true_that WHAT COMMAND…
true_that() {
	local what=$1
	shift
	if "$@"; then is "$what" 0 0; else is "$what" "success of: $*" "status $?"; fi
}

# quietly COMMAND…: what it says is told only if it fails.
quietly() { "$@" >"$work/said" 2>&1 || { sed 's/^/#   /' "$work/said"; return 1; }; }

# chosen NAME: whether ONLY, if it is set, has it.
chosen() {
	case " ${ONLY:-$1} " in *" $1 "*) ;; *) return 1 ;; esac
}

as_root() { # WHAT
	[ "$(id -u)" -eq 0 ] || {
		echo "skipped - $1 (needs root)"
		return 1
	}
}

# binary PROGRAM…: the one argument of a test that has one, as an absolute path.
binary() {
	if [ $# -ne 1 ] || [ ! -x "$1" ]; then
		echo "usage: $0 BINARY" >&2
		exit 2
	fi
	realpath "$1"
}

# unpack KIND DIR: a root of mkroot.sh.
unpack() {
	local tarball
	tarball=$("$here/mkroot.sh" "$1") || return
	mkdir "$2" && tar -C "$2" --zstd -xf "$tarball"
}

# furnish DIR PROGRAM: what every session expects to find in its root.
furnish() {
	install -m 755 "$2" "$1/usr/sbin/keepalivedd"
	mkdir -p "$1/etc/keepalivedd/conf.d"
	install -m 644 "$packaging/conf/keepalivedd.toml" "$1/etc/keepalivedd/keepalivedd.toml"
	# A program to keep alive, which they can find by its argument.
	printf '[program.tick]\ncommand = ["/bin/sleep", "86401"]\n' >"$1/etc/keepalivedd/conf.d/tick.toml"
}

# results NAME FILE: counts and tells what a session has found.
results() {
	local line
	while IFS= read -r line; do
		case $line in
		'ok - '*) passed=$((passed + 1)) && echo "ok - $1: ${line#ok - }" ;;
		'not ok - '*) failed=$((failed + 1)) && echo "not ok - $1: ${line#not ok - }" ;;
		'done') ;;
		*) echo "$line" ;;
		esac
	done <"$2"
}

# session NAME ROOT SCRIPT STATUS COMMAND…: runs COMMAND as PID 1 over ROOT, where SCRIPT is
# /host/session beside lib.sh and what is in $work/NAME already. It is to end with STATUS, 130
# for a halt. Only one that hangs takes the ten minutes that it has.
session() {
	local name=$1 root=$2 out=$work/$1 want=$4 status began
	mkdir -p "$out"
	cp "$here/lib.sh" "$out/lib.sh"
	install -m 755 "$here/$3" "$out/session"
	: >"$out/result"
	shift 4
	began=$(date +%s)
	timeout -k 5 "${TIMEOUT:-600}" "$here/boot.sh" "$root" "$out" "$@" >"$out/boot" 2>&1 </dev/null &
	boot=$!
	wait "$boot"
	status=$?
	boot=
	echo "# $name: $(($(date +%s) - began)) s"
	results "$name" "$out/result"
	true_that "$name: the session came to its end" grep -qx "done" "$out/result" ||
		tail -n 5 "$out/session.log" "$out/boot" | sed 's/^/#   /'
	is "$name: the system ended" "$want" "$status"
}

# logged_to_the_end NAME: in the file before the syslogd's own last line, if it has
# one: the daemon had stopped while its log was still up.
logged_to_the_end() {
	true_that "$1: the shutdown stopped the daemon while syslogd was still up" awk '
		/session: going down/ { m = NR } /keepalivedd.*: .*stopped/ { s = NR } /syslogd exiting/ { e = NR }
		END { exit !(m && m < s && (!e || s < e)) }' "$work/$1/messages" ||
		tail -n 8 "$work/$1/messages" | sed 's/^/#   /'
}

# count is the end: its status is 0 if something passed and nothing failed.
count() {
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

#!/bin/sh
# lint.sh: checks the scripts of packaging without running them. What is not
# installed is skipped and told.
set -u
cd "$(dirname "$0")/.." || exit 1

failed=0
check() { # COMMAND…
	if ! command -v "$1" >/dev/null; then
		echo "skipped - $* ($1 is not installed)"
	elif "$@"; then
		echo "ok - $*"
	else
		echo "not ok - $*"
		failed=1
	fi
}

init=init.d/keepalivedd
check dash -n $init
check bash -n $init
check busybox sh -n $init
check shellcheck -s dash $init
check checkbashisms $init
check test -x $init

# As the strictest reader would: nothing unset, nothing failing.
check dash -eu default/keepalivedd
check shellcheck -s dash -e SC2034 default/keepalivedd

for script in test/*.sh; do
	case $(head -n 1 "$script") in
	*bash) check bash -n "$script" ;;
	*)
		check dash -n "$script"
		check checkbashisms -f "$script"
		;;
	esac
	# /host/lib.sh is there only in the booted system.
	check shellcheck -x -P SCRIPTDIR -S warning -e SC1091 "$script"
done
exit $failed

#!/bin/sh
# lib.sh: what the sessions have in common. They run inside the booted system,
# from inittab when the runlevel is reached, and their results go to /host/result.

exec >/host/session.log 2>&1 </dev/null
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
NAME=keepalivedd
DAEMON=/usr/sbin/$NAME
# shellcheck disable=SC2034 # for the sessions
CONF=/etc/$NAME/$NAME.toml
PIDFILE=/run/$NAME.pid
INIT=/etc/init.d/$NAME
RUNNER= # a shell to run the script with, instead of its own first line

# is WHAT WANTED GOT
is() {
	if [ "$2" = "$3" ]; then
		echo "ok - $1" >>/host/result
	else
		echo "not ok - $1" >>/host/result
		printf '%s\n' "wanted: $2" "got: $3" | sed 's/^/#   /' >>/host/result
		return 1
	fi
}

# true_that WHAT COMMAND…
true_that() {
	what=$1
	shift
	if "$@"; then is "$what" 0 0; else is "$what" "success of: $*" "status $?"; fi
}

# gives WHAT STATUS ACTION…: the script called so ends with STATUS. What it said
# is in /tmp/said, and in the result when it was wrong.
gives() {
	what=$1 want=$2
	shift 2
	# shellcheck disable=SC2086 # no word when it is empty
	timeout 60 $RUNNER "$INIT" "$@" >/tmp/said 2>&1
	is "$what" "$want" $? || sed 's/^/#   said: /' /tmp/said >>/host/result
}

# The same as an ordinary user.
nobody_gives() (
	RUNNER="setpriv --reuid=65534 --regid=65534 --clear-groups $RUNNER"
	gives "$@"
)

said() { grep -q "$1" /tmp/said; }

pid() { cat "$PIDFILE" 2>/dev/null; }

# By executable: the init script's own process is called keepalivedd, too.
pids() {
	for p in /proc/[0-9]*; do
		case $(readlink "$p/exe" 2>/dev/null) in "$DAEMON" | "$DAEMON (deleted)") echo "${p#/proc/}" ;; esac
	done
}
instances() { pids | wc -l; }

# within COMMAND…: until it succeeds; after a minute, which no machine is too slow for, it has failed.
within() {
	tries=1200
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.05
	done
}

now() { # in milliseconds
	echo $(($(date +%s%N) / 1000000))
}

tick() { pgrep -f '^/bin/sleep 86401$'; }

# single WHAT: one instance, and the pidfile names it. Not at the first look: a
# child of the daemon is another one until it has called exec.
alone() { [ -n "$(pid)" ] && [ "$(pids)" = "$(pid)" ]; }
single() {
	within alone
	is "$1: one instance, and the pidfile says which" "$(pids)" "$(pid)"
}

field() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }

# The threads that block HUP, INT or TERM. All of them are asked, and no more of
# them: Go's os/signal has a thread, often the first, that blocks what it was not
# asked for.
blocking() {
	for task in "/proc/$1/task"/*; do
		# The lower 32: sixty-four are more than the shell's arithmetic takes.
		mask=$(sed -n 's/^SigBlk:[[:space:]]*........//p' "$task/status" 2>/dev/null)
		[ $((0x${mask:-0} & 0x4003)) -eq 0 ] || echo "${task##*/}=$mask"
	done
}

# for_output PID PIPE: a program of the daemon PID writes to it.
for_output() {
	for child in $(grep -l "^PPid:[[:space:]]*$1$" /proc/[0-9]*/status 2>/dev/null); do
		for end in 1 2; do
			[ "$(readlink "${child%/*}/fd/$end")" != "$2" ] || return 0
		done
	done
	return 1
}

# No descriptor above 2 but what the daemon opened itself: a pipe only if both
# ends are its own or a program's, otherwise it is somebody's who waits for it to end.
strangers() {
	for fd in "/proc/$1/fd"/*; do
		[ "${fd##*/}" -gt 2 ] || continue
		to=$(readlink "$fd") || continue
		case $to in
		anon_inode:* | socket:* | / | /dev/null | "$PIDFILE" | /run/$NAME* | /memfd:$NAME*) ;;
		pipe:*) [ "$(find "/proc/$1/fd" -lname "$to" | wc -l)" -ge 2 ] || for_output "$1" "$to" || echo "${fd##*/}=$to" ;;
		*) echo "${fd##*/}=$to" ;;
		esac
	done
}

# clean WHAT: nothing of the caller's has reached the daemon nor its program.
clean() {
	p=$(pid)
	is "$1: the process is called keepalivedd" keepalivedd "$(cat "/proc/$p/comm")"
	is "$1: HUP is not ignored" 0 $((0x$(field "$p" SigIgn | cut -c9-) & 1))
	is "$1: HUP, INT and TERM are blocked in no thread" "" "$(blocking "$p")"
	is "$1: it stands in /" / "$(readlink "/proc/$p/cwd")"
	is "$1: umask" 0022 "$(field "$p" Umask)"
	is "$1: 0, 1 and 2 are /dev/null" "/dev/null /dev/null /dev/null" \
		"$(readlink "/proc/$p/fd/0" "/proc/$p/fd/1" "/proc/$p/fd/2" | tr '\n' ' ' | sed 's/ $//')"
	is "$1: no stranger's descriptor" "" "$(strangers "$p")"
	# After the name in brackets: state, parent, group, session, terminal.
	is "$1: a session of its own, no terminal" "$p 0" "$(sed 's/.*) //' "/proc/$p/stat" | cut -d' ' -f4,5)"
	within tick >/dev/null
	c=$(tick)
	is "$1: its program has no descriptor above 2" "" "$(cd "/proc/$c/fd" && for fd in *; do [ "$fd" -le 2 ] || echo "$fd=$(readlink "$fd")"; done)"
	is "$1: its program ignores and blocks nothing" "0000000000000000 0000000000000000" "$(field "$c" SigIgn) $(field "$c" SigBlk)"
	is "$1: its program has no mark of go-daemon" "" "$(tr '\0' '\n' <"/proc/$c/environ" | grep GO_DAEMON)"
}

# finish: the daemon runs, the system goes down. What follows the mark in the log
# is the shutdown's.
finish() {
	gives "before the shutdown: start" 0 start
	gives "before the shutdown: status" 0 status
	logger -t session "going down"
	echo 'done' >>/host/result
	telinit 0
}

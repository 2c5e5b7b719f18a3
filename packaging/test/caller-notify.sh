#!/bin/sh
# systemd's part played by a script: what the daemon, started and asked as the unit
# says, sends to NOTIFY_SOCKET.
. /host/lib.sh

unit=/host/packaging/systemd/keepalivedd.service
start=$(sed -n 's/^ExecStart=//p' $unit)
reload=$(sed -n 's/^ExecReload=//p' $unit)
cat >>/etc/$NAME/conf.d/tick.toml <<'TOML'
[program.slow]
command = ["/bin/sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.1; done; echo >&3; exec sleep 86402"]
ready = "fd:3"
required = true
TOML

# Each message in a line, with the monotonic clock in microseconds before it.
cat >/tmp/listen <<'PERL'
use IO::Socket::UNIX; use Socket; use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);
my $name = $ARGV[0]; $name =~ s/^@/\0/;
my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $name) or die "$name: $!";
$| = 1; print "listening\n";
while (defined $s->recv(my $m, 4096)) {
	$m =~ s/\n/ /g; printf "%d %s\n", clock_gettime(CLOCK_MONOTONIC) * 1e6, $m;
}
PERL
messages() { sed -n 's/^[0-9][0-9]* \([A-Z]*=1\).*/\1/p' /tmp/heard | tr '\n' ' '; }
heard() { [ "$(messages)" = "$1 " ]; }

for socket in /run/notify @notify; do
	: >/tmp/heard
	rm -f /tmp/go
	perl /tmp/listen $socket >/tmp/heard &
	listener=$!
	within grep -q listening /tmp/heard
	NOTIFY_SOCKET=$socket $start &
	main=$!
	within alone
	sleep 0.3
	is "$socket: not ready before its programs" "" "$(messages)"
	: >/tmp/go
	true_that "$socket: READY=1" within heard "READY=1"
	$DAEMON status
	is "$socket: ready: status" 0 $?
	is "$socket: it is the process that was started" "$main" "$(pids)"
	is "$socket: no program knows the socket" "" "$(tr '\0' '\n' <"/proc/$(tick)/environ" | grep NOTIFY)"

	printf '[program.more]\ncommand = ["/bin/sleep", "86403"]\n' >/etc/$NAME/conf.d/more.toml
	before=$(perl -MTime::HiRes=clock_gettime,CLOCK_MONOTONIC -e 'printf "%d", clock_gettime(CLOCK_MONOTONIC) * 1e6')
	$reload
	is "$socket: ExecReload" 0 $?
	true_that "$socket: RELOADING=1 and READY=1" within heard "READY=1 RELOADING=1 READY=1"
	# systemd believes a READY=1 only from after the reload that it asked for.
	at=$(sed -n 's/.*MONOTONIC_USEC=\([0-9]*\).*/\1/p' /tmp/heard)
	got=$(sed -n 's/^\([0-9]*\) RELOADING.*/\1/p' /tmp/heard)
	true_that "$socket: MONOTONIC_USEC between the request and the message" test "$before" -le "${at:-0}" -a "${at:-0}" -le "$got"
	true_that "$socket: and the new program runs" within pgrep -f '^/bin/sleep 86403$'

	echo nonsense >/etc/$NAME/conf.d/zz.toml
	$reload 2>/tmp/said
	is "$socket: ExecReload of a broken configuration" 6 $?
	true_that "$socket: it names the place" said 'conf.d/zz.toml:1:'
	true_that "$socket: RELOADING=1, and READY=1 all the same" within heard "READY=1 RELOADING=1 READY=1 RELOADING=1 READY=1"
	kill -HUP $main
	true_that "$socket: HUP then: the same" within heard "READY=1 RELOADING=1 READY=1 RELOADING=1 READY=1 RELOADING=1 READY=1"
	rm /etc/$NAME/conf.d/zz.toml /etc/$NAME/conf.d/more.toml

	kill -TERM $main # KillMode=mixed: to it alone
	wait $main
	is "$socket: TERM ends it with" 0 $?
	true_that "$socket: STOPPING=1 was the last" within heard "READY=1 RELOADING=1 READY=1 RELOADING=1 READY=1 RELOADING=1 READY=1 STOPPING=1"
	is "$socket: nothing is left" "0 " "$(instances) $(tick)"

	# A start that fails is not said to be ready.
	: >/tmp/heard
	echo nonsense >/etc/$NAME/conf.d/zz.toml
	NOTIFY_SOCKET=$socket $start 2>/tmp/said
	is "$socket: a start with a broken configuration" 6 $?
	sleep 0.1
	is "$socket: it says nothing of READY" "" "$(messages)"
	rm /etc/$NAME/conf.d/zz.toml
	kill $listener
	wait $listener
done

# With nobody there it runs on.
NOTIFY_SOCKET=/nowhere $start &
main=$!
ready() { $DAEMON status >/dev/null; }
true_that "a socket without a listener: it starts" within ready
$DAEMON stop
is "a socket without a listener: stop" 0 $?
wait $main
is "a socket without a listener: it ends with" 0 $?
echo 'done' >>/host/result

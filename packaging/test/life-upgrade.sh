#!/bin/sh
# The package upgraded over ssh, again and again, with twenty programs: sshd itself,
# cron, and nginx, which is asked all the time. No process of the system becomes
# another, no connection is refused, no line of output is lost. In /host are old.deb,
# new.deb, unknowing.deb, which cannot take over, and requests.pl. Started by
# packages.sh.
#
# promise U1, issue 10.5
. /host/lib.sh

export DEBIAN_FRONTEND=noninteractive
PROGRAMS=/etc/$NAME/conf.d/twenty.toml
COUNTED=/var/log/$NAME/counter.log

settings() {
	cat <<-TOML
		[program.sshd-directory]
		command = ["/usr/bin/install", "-d", "-m", "0755", "/run/sshd"]
		type = "oneshot"

		[program.sshd]
		command = ["/usr/sbin/sshd", "-D"]
		requires = ["sshd-directory"]

		[program.cron]
		command = ["/usr/sbin/cron", "-f"]

		[program.nginx]
		command = ["/usr/sbin/nginx", "-c", "/etc/nginx/twenty.conf"]

		# Says each number once, for as long as it lives.
		[program.counter]
		command = ["/usr/bin/perl", "-e", '\$| = 1; for (1 .. 1e9) { print "\$_\\n"; select(undef, undef, undef, 0.002) }']
		output = "$COUNTED"

		[program.worker]
		command = ["/bin/sleep", "86403"]
		instances = 12

		[program.tick]
		command = ["/bin/sleep", "86401"]

		[program.held]
		command = ["/bin/sleep", "86404"]

		# Waits for its next try.
		[program.fails]
		command = ["/bin/false"]
		restart_delay = { min = "1h", max = "1h" }
	TOML
	cat >/etc/nginx/twenty.conf <<-CONF
		daemon off;
		pid /run/nginx.pid;
		error_log stderr;
		worker_processes 2;
		events {}
		http {
			access_log off;
			keepalive_requests 1000000;
			keepalive_timeout 1h;
			server { listen 127.0.0.1:8080; root /var/www/html; index index.nginx-debian.html; }
		}
	CONF
}

over_ssh() {
	timeout 60 ssh -n -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
		root@127.0.0.1 "$@"
}

# Every process of the system, with the moment at which it was born: no pipe, so that
# there is none but perl's own to leave out.
processes() {
	perl -e 'for (sort { $a <=> $b } map { m{(\d+)} } glob "/proc/[0-9]*") {
		next if $_ == $$ || !open(my $f, "<", "/proc/$_/stat");
		my ($name, @rest) = <$f> =~ /\((.*)\) (.*)/s ? ($1, split / /, $2) : next;
		print "$_ $name $rest[19]\n";
	}' >"$1"
}
same_processes() { processes /tmp/processes.now && cmp -s /tmp/processes /tmp/processes.now; }

# What the daemon says of each program, without its use of the machine.
programs() { keepalivedd status --json | grep -E '"(name|state|pid|starts|failures|last|why|ready)":' | sed 1d; }
release() { keepalivedd status --json | sed -n 's/^\t"release": "\(.*\)",$/\1/p'; }
steady() { programs | grep -q '"backoff"' && keepalivedd status | grep -q '^counter *up'; }

answered() { sed -n 's/ answered.*//p' /tmp/requests; }
more() { [ "$(answered)" -ge "$1" ]; }
# goes_on WHAT: nginx has answered for a while longer, and has always.
goes_on() {
	true_that "$1: nginx answers on" within more $(($(answered) + 50))
	is "$1: no connection was refused, and no request" "0 failed" "$(sed 's/.*, \(.* failed\) */\1/' /tmp/requests)"
}

# unchanged WHAT: nothing in the whole system is another, but the daemon's version.
unchanged() {
	true_that "$1: no process of the system is another, none has come or gone" within same_processes ||
		diff /tmp/processes /tmp/processes.now | sed 's/^/#   /' >>/host/result
	programs >/tmp/programs.now
	is "$1: the programs are as they were" "" "$(diff /tmp/programs /tmp/programs.now)"
	is "$1: the package is configured" "ii " "$(dpkg-query -W -f '${db:Status-Abbrev}' $NAME)"
	goes_on "$1"
}

# install_over_ssh WHAT FILE
install_over_ssh() {
	over_ssh "dpkg --force-confdef --force-confold -i /host/$2" >/tmp/said 2>&1
	is "$1: dpkg" 0 $? || sed 's/^/#   said: /' /tmp/said >>/host/result
}

mkdir -m 700 /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys

mkdir -p "${PROGRAMS%/*}"
settings >$PROGRAMS
dpkg -i /host/old.deb >/tmp/said 2>&1
is "old.deb is installed" 0 $? || sed 's/^/#   said: /' /tmp/said >>/host/result
true_that "they run" within steady
keepalivedd down held
is "twenty programs" 20 "$(programs | grep -c '"name"')"
perl /host/requests.pl 8080 /tmp/requests 2>/tmp/requests.said &
requests=$!
true_that "nginx answers" within test -s /tmp/requests
true_that "ssh works" within over_ssh true
settled() { processes /tmp/processes && sleep 0.2 && same_processes; }
true_that "the system is settled" within settled
programs >/tmp/programs
first=$(pid)

# The death signal of programs tells a mistake at the third.
round=1
for version in 1 0 1 0 1; do
	case $version in 0) file=old.deb ;; *) file=new.deb ;; esac
	install_over_ssh "upgrade $round" $file
	is "upgrade $round: the version that runs" "v0.1.$version" "$(release)"
	is "upgrade $round: it is the same process" "$first" "$(pids)"
	unchanged "upgrade $round"
	round=$((round + 1))
done

install_over_ssh "refused" unknowing.deb
true_that "refused: it says why" said "state of the service: .*known are those up to 0"
true_that "refused: it says what runs" said "what runs could not be upgraded, see above; it was not restarted"
true_that "refused: it says what to do" said "hint: when that is repaired: service $NAME upgrade"
is "refused: the version that runs" "v0.1.1" "$(release)"
unchanged "refused"

install_over_ssh "after that" old.deb
is "after that: the version that runs" "v0.1.0" "$(release)"
unchanged "after that"

kill -TERM $requests
wait $requests
is "nobody was refused anything" "" "$(cat /tmp/requests.said)"
# Every number once, in order, in all of them.
is "no line of output is lost or doubled" "" "$(awk '$0 != NR { print NR ": " $0; exit }' $COUNTED)"

gives "stop" 0 stop
dpkg --force-confdef --force-confold -i /host/new.deb >/tmp/said 2>&1
is "stopped: dpkg" 0 $?
is "stopped: it stays so" 0 "$(instances)"
rm $PROGRAMS
finish

#!/bin/sh
# sshd and cron as programs of the daemon, and the daemon restarted, upgraded in place
# and started from within: over that ssh, and by that cron. In /host are old.deb and
# new.deb. Started by packages.sh.
#
# promise T4, issue 7.B1, 7.B2
. /host/lib.sh

export DEBIAN_FRONTEND=noninteractive
LOGIN=/etc/$NAME/conf.d/login.toml

settings() { # KILL, a line or nothing
	cat <<-TOML
		[program.sshd-directory]
		command = ["/usr/bin/install", "-d", "-m", "0755", "/run/sshd"]
		type = "oneshot"

		[program.sshd]
		command = ["/usr/sbin/sshd", "-D"]
		requires = ["sshd-directory"]
		$1

		[program.cron]
		command = ["/usr/sbin/cron", "-f"]
		$1
	TOML
}

# The listener's PID and cron's: the daemon's own children of that name.
program() { pgrep -P "$(pid)" -x "$1"; }
both() { alone && [ -n "$(program sshd)" ] && [ -n "$(program cron)" ] && listens; }
listens() { grep -q '^ *[0-9]*: [0-9A-F]*:0016 [0-9A-F]*:0000 0A ' /proc/net/tcp; }
no_more() { [ "$(pgrep -cx "$1")" = 1 ]; } # PROGRAM: nothing of it but what the daemon has started

over_ssh() {
	timeout 60 ssh -n -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
		root@127.0.0.1 "$@"
}

# by_cron SCRIPT: cron runs it once, at once: as what is to be run at its start. It
# looks for that when there is no /run/crond.reboot, and makes one.
by_cron() {
	rm -f /run/crond.reboot /tmp/job.status
	{
		echo '#!/bin/sh'
		echo "$1"
		# shellcheck disable=SC2016 # for the job
		echo 'echo $? >/tmp/job.new && mv /tmp/job.new /tmp/job.status'
	} >/tmp/job
	chmod 755 /tmp/job
	kill -KILL "$(program cron)"
	within test -e /tmp/job.status
	cat /tmp/job.said
	return "$(cat /tmp/job.status || echo 1)"
}

# ask WHAT HOW COMMAND: asked for so, it succeeds, and what comes after it is done.
# Afterwards it is another process; with "whole" before them, the same with the same
# sshd.
ask() {
	whole=
	[ "$1" != whole ] || {
		whole=yes
		shift
	}
	listener=$(program sshd)
	first=$(pid)
	"$2" "$3 && echo to the end >/tmp/end" >/tmp/said 2>&1
	is "$1: status" 0 $? || sed 's/^/#   said: /' /tmp/said >>/host/result
	is "$1: it came to its end" "to the end" "$(cat /tmp/end 2>/dev/null)"
	rm -f /tmp/end
	true_that "$1: the daemon and its programs run" within both
	single "$1"
	if [ -n "$whole" ]; then
		is "$1: the same process, and its sshd" "$first $listener" "$(pid) $(program sshd)"
	else
		true_that "$1: it is another one" test "$first" != "$(pid)"
	fi
	is "$1: the package is configured" "ii " "$(dpkg-query -W -f '${db:Status-Abbrev}' $NAME)"
	# What was spared has ended by itself.
	true_that "$1: no connection is left" within no_more sshd
	true_that "$1: no job is left" within no_more cron
	within both && return
	# Put right for what comes next.
	dpkg --configure -a
	pkill -x sshd
	$INIT start
	within both
}

version() { # FILE
	dpkg --force-confdef --force-confold -i "/host/$1" >/tmp/said 2>&1
	is "$1 is installed from without" 0 $? || sed 's/^/#   said: /' /tmp/said >>/host/result
	true_that "$1: its programs run" within both
}

mkdir -m 700 /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
printf 'PATH=%s\n@reboot /tmp/job >/tmp/job.said 2>&1\n' "$PATH" | crontab -
printf '#!/bin/sh\n' >/tmp/job
chmod 755 /tmp/job

mkdir -p "${LOGIN%/*}"
settings >$LOGIN
upgrade='dpkg --force-confdef --force-confold -i /host/new.deb'
version old.deb

for kill in '' 'kill = "process"'; do
	how=${kill:-as it is}
	settings "$kill" >$LOGIN
	gives "$how: reload" 0 reload
	true_that "$how: the programs run" within both

	ask "$how: restart over ssh" over_ssh "service $NAME restart"
	ask "$how: restart by cron" by_cron "service $NAME restart"
	ask whole "$how: upgrade over ssh" over_ssh "$upgrade"
	version old.deb
	ask whole "$how: upgrade over ssh, with a log" over_ssh "$upgrade 2>&1 | tee /tmp/upgrade.log"
	version old.deb
	ask whole "$how: upgrade by cron" by_cron "$upgrade"
	version old.deb
	# It has ended, and with it its sshd; who is logged in starts it again.
	ask "$how: start over ssh after a crash" over_ssh "kill -KILL $(pid) && service $NAME start"

	# Others that are logged in: they go with the group, and stay with the process.
	over_ssh "exec sleep 86402" &
	other=$!
	logged_in() { pgrep -f '^sleep 86402$'; }
	true_that "$how: somebody else is logged in" within logged_in
	over_ssh "service $NAME restart" >/tmp/said 2>&1
	is "$how: restart beside another" 0 $? || sed 's/^/#   said: /' /tmp/said >>/host/result
	if [ -n "$kill" ]; then
		true_that "$how: and the other one stays" logged_in
		pkill -f '^sleep 86402$'
	else
		is "$how: and the other one has gone" "" "$(logged_in)"
	fi
	wait $other
done
finish

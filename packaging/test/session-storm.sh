#!/bin/sh
# Several actions at once.
. /host/lib.sh

# at_once ACTION: eight of them; prints how many succeeded.
at_once() {
	rm -f /tmp/status.*
	jobs=
	for i in 1 2 3 4 5 6 7 8; do
		(
			timeout 60 $INIT "$1" >/tmp/storm.$i 2>&1
			echo $? >/tmp/status.$i
		) &
		jobs="$jobs $!"
	done
	wait $jobs
	cat /tmp/status.* | grep -cx 0
}

for round in 1 2 3 4 5; do
	is "round $round: eight restarts at once, all 0" 8 "$(at_once restart)"
	single "round $round: after eight restarts"
	is "round $round: one program" 1 "$(tick | wc -l)"
	gives "round $round: status" 0 status
done

for round in 1 2 3; do
	is "round $round: eight stops at once, all 0" 8 "$(at_once stop)"
	is "round $round: it has ended" 0 "$(instances)"
	is "round $round: eight starts at once, all 0" 8 "$(at_once start)"
	single "round $round: after eight starts"
done

# The same without the script's own lock: the daemon's is what counts.
mv /usr/bin/flock /usr/bin/flock.away
$INIT stop
is "without flock: eight starts at once, all 0" 8 "$(at_once start)"
single "without flock: after eight starts"
at_once restart
within eval '[ "$(instances)" -le 1 ]'
is "without flock: at most one instance after eight restarts" 1 "$(instances)"
mv /usr/bin/flock.away /usr/bin/flock
finish

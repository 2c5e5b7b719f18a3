#!/bin/sh
# A machine with a hundred programs, each after the one before: the shutdown ends
# them in reverse, by TERM, within the budget, and leaves none to sendsigs.
. /host/lib.sh

i=1
while [ $i -le 100 ]; do
	echo "[program.p$i]"
	echo "command = [\"/bin/sh\", \"-c\", \"trap 'echo p$i >>/host/ended; exit' TERM; while :; do sleep 86407 & wait; done\"]"
	[ $i -eq 1 ] || echo "after = [\"p$((i - 1))\"]"
	i=$((i + 1))
done >/etc/$NAME/conf.d/hundred.toml
gives "restart with a hundred programs" 0 restart
gives "all of them are up" 0 status
true_that "it counts them" said "of 10"
# Each has its trap when its sleep runs.
asleep() { [ "$(pgrep -fc '^sleep 86407$')" = 100 ]; }
true_that "they run" within asleep

i=100
while [ $i -ge 1 ]; do
	echo "p$i"
	i=$((i - 1))
done >/host/expected
finish

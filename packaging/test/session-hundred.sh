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
is "they run" 100 "$(pgrep -fc '^/bin/sh -c trap.*86407')"
sleep 1 # for their traps

i=100
while [ $i -ge 1 ]; do
	echo "p$i"
	i=$((i - 1))
done >/host/expected
finish

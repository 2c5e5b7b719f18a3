#!/bin/sh
# What the boot has left: the daemon, started from its link, ready and clean.
. /host/lib.sh

gives "status as soon as the runlevel is reached" 0 status
is "a link in rc2.d" 1 "$(find /etc/rc2.d -name 'S[0-9][0-9]keepalivedd' | wc -l)"
single "after the boot"
clean "after the boot"
is "the pidfile's mode" 644 "$(stat -c %a $PIDFILE)"
true_that "it logs to syslog by its name" within grep -q "$NAME\[*[0-9]*\]*: " /host/messages

first=$(tick)
true_that "the program of conf.d runs" test -n "$first"
kill -KILL "$first"
another() { new=$(tick) && [ "$new" != "$first" ]; }
true_that "killed, it comes back" within another

gives "stop" 0 stop
is "nothing is left of it" "0 " "$(instances) $(tick)"
true_that "nor its pidfile" test ! -e $PIDFILE
finish

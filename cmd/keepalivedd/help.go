package main

// help is what --help prints. The completions are made of it, see packaging/completions/gen.
const help = `Usage: keepalivedd [options]                    start, in the background
       keepalivedd [options] start|metrics|reload|upgrade|stop|help|version
       keepalivedd [options] status|events [NAME...]
       keepalivedd [options] logs [-f] [-n N|all] [--json] [NAME...]
       keepalivedd [options] up|down|restart NAME...
       keepalivedd [options] signal SIGNAL NAME...

Keeps programs alive: starts those of the configuration, and starts again what dies.

  -f, --use-file FILE       configuration (default ` + defaultFile + `)
  -p, --pid FILE            pidfile, instead of the configuration's; none: no pidfile
  -n, --dont-fork           stay in the foreground; implied as PID 1
  -l, --log-console         log to standard error; implied by -n on a terminal
  -g, --log-file FILE       log to FILE
  -S, --log-facility F      syslog facility: 0-7, local0-local7, user, daemon and so on
  -G, --no-syslog           not to syslog
  -D, --log-detail          log debugging details too
  -R, --dont-respawn        do not start again what dies, for debugging
      --ready-fd N          with -n: write a newline to descriptor N when ready, as s6 asks for
      --umask MODE          file mode creation mask, in octal (default 022)
  -t, --config-test         check the configuration, tell every mistake, start nothing
      --dry-run             with reload: say what it would touch, and touch nothing;
                            with upgrade: say whether it could be done
      --binary FILE         with upgrade: the program, if not the file that the daemon was started from
      --json                with status or logs: print it as JSON
  -w, --watch               with status: show it anew as it changes, until q is pressed
      --timeout TIME        with up, down, restart: wait for no longer (default 90s)
      --no-wait             with up, down, restart: do not wait for what comes of it
      --together            with restart: all at once, not one after the other
      --with-dependents     with down: take down those too that require them
  -d, --dump-conf           print the configuration as it is understood
      --signum NAME         print the number of STOP, RELOAD, DATA, STATS or a signal's name
  -v, --version             print the version
  -h, --help                print this

start   starts it, as no command does
status  tells how it is, with its programs: 0 it runs, 1 dead but its pidfile is left, 3 stopped,
        4 unknown, starting, stopping, or it cannot be asked, 150 it runs but a program that is
        wanted is not up. status NAME... ('web*' too) tells all of those: 0 they are up, done or
        held, 3 one is not, 4 there is no such program
metrics prints metrics in the text format of Prometheus
events  prints how the programs are and then each change, as JSON, a line each; of NAME... only
logs    prints the last lines that programs have written, N of them with -n N; with -f it goes on.
        Behind logs these two are its own, before it they are the daemon's
reload  has the daemon check the configuration and take it on, as kill -HUP does, and tells what it
        has touched: +new ~changed !signalled =held *adjusted -gone
upgrade replaces the daemon by a newer program, with all programs running on, and tells how long
        nobody looked after them; one that cannot take over is refused
stop    stops the daemon and waits for its end
up      starts programs that are down, held, done or failed, and waits until they are ready
down    stops programs and holds them there, through reloads, until they are asked for
restart starts programs anew, one after the other, each ready before the next
signal  sends a signal to programs: signal HUP NAME... ('web*' too)
help    prints the options and commands
version prints the version

Exit status: 0 done (a start: ready), 1 failure, 2 usage, 3 a program is not up that was to be,
4 no permission or no such program, 6 configuration missing or wrong, 7 not running (of what is
for a daemon that runs, but status and stop), 100 another instance is running (start).
`

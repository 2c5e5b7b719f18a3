# fish completion for keepalivedd(8)
# Made by: go run ./packaging/completions/gen

function __keepalivedd_programs
	set -l words (commandline -opc)
	set -l ask
	for i in (seq 2 (count $words))
		switch $words[$i]
			case -f --use-file -p --pid
				set -a ask $words[$i] $words[(math $i + 1)]
			case '--use-file=*' '--pid=*'
				set -a ask $words[$i]
			case logs
				break
		end
	end
	keepalivedd $ask status --json 2>/dev/null | sed -n 's/^\t\t\t"name": "\([[:alnum:]_.:-]*\)",$/\1/p'
end

complete -c keepalivedd -f
complete -c keepalivedd -n 'not __fish_seen_subcommand_from logs' -s f -l use-file -r -F -d 'configuration (default /etc/keepalivedd/keepalivedd.toml)'
complete -c keepalivedd -s p -l pid -r -F -a 'none' -d 'pidfile, instead of the configuration; none: no pidfile'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from logs' -s n -l dont-fork -d 'stay in the foreground; implied as PID 1'
complete -c keepalivedd -s l -l log-console -d 'log to standard error; implied by -n on a terminal'
complete -c keepalivedd -s g -l log-file -r -F -d 'log to FILE'
complete -c keepalivedd -s S -l log-facility -x -a 'daemon user local0 local1 local2 local3 local4 local5 local6 local7' -d 'syslog facility: 0-7, local0-local7, user, daemon and so on'
complete -c keepalivedd -s G -l no-syslog -d 'not to syslog'
complete -c keepalivedd -s D -l log-detail -d 'log debugging details too'
complete -c keepalivedd -s R -l dont-respawn -d 'do not start again what dies, for debugging'
complete -c keepalivedd -l ready-fd -x -d 'with -n: write a newline to descriptor N when ready, as s6 asks for'
complete -c keepalivedd -l umask -x -a '022 027 077' -d 'file mode creation mask, in octal (default 022)'
complete -c keepalivedd -s t -l config-test -d 'check the configuration, tell every mistake, start nothing'
complete -c keepalivedd -l dry-run -d 'with reload: say what it would touch, and touch nothing;'
complete -c keepalivedd -l binary -r -F -d 'with upgrade: the program, if not the file that the daemon was started from'
complete -c keepalivedd -l json -d 'with status or logs: print it as JSON'
complete -c keepalivedd -s w -l watch -d 'with status: show it anew as it changes, until q is pressed'
complete -c keepalivedd -l timeout -x -a '10s 90s 5m' -d 'with up, down, restart: wait for no longer (default 90s)'
complete -c keepalivedd -l no-wait -d 'with up, down, restart: do not wait for what comes of it'
complete -c keepalivedd -l together -d 'with restart: all at once, not one after the other'
complete -c keepalivedd -l with-dependents -d 'with down: take down those too that require them'
complete -c keepalivedd -s d -l dump-conf -d 'print the configuration as it is understood'
complete -c keepalivedd -l signum -x -a 'STOP RELOAD DATA STATS' -d 'print the number of STOP, RELOAD, DATA, STATS or a signal name'
complete -c keepalivedd -s v -l version -d 'print the version'
complete -c keepalivedd -s h -l help -d 'print the options'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from start metrics reload upgrade stop help version status events logs up down restart signal' -a start -d 'starts it, as no command does'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from start metrics reload upgrade stop help version status events logs up down restart signal' -a metrics -d 'prints metrics in the text format of Prometheus'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from start metrics reload upgrade stop help version status events logs up down restart signal' -a reload -d 'has the daemon check the configuration and take it on, as kill -HUP does, and tells what it'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from start metrics reload upgrade stop help version status events logs up down restart signal' -a upgrade -d 'replaces the daemon by a newer program, with all programs running on, and tells how long'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from start metrics reload upgrade stop help version status events logs up down restart signal' -a stop -d 'stops the daemon and waits for its end'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from start metrics reload upgrade stop help version status events logs up down restart signal' -a help -d 'prints the options and commands'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from start metrics reload upgrade stop help version status events logs up down restart signal' -a version -d 'prints the version'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from start metrics reload upgrade stop help version status events logs up down restart signal' -a status -d 'tells how it is, with its programs'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from start metrics reload upgrade stop help version status events logs up down restart signal' -a events -d 'prints how the programs are and then each change, as JSON, a line each; of NAME... only'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from start metrics reload upgrade stop help version status events logs up down restart signal' -a logs -d 'prints the last lines that programs have written, N of them with -n N; with -f it goes on.'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from start metrics reload upgrade stop help version status events logs up down restart signal' -a up -d 'starts programs that are down, held, done or failed, and waits until they are ready'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from start metrics reload upgrade stop help version status events logs up down restart signal' -a down -d 'stops programs and holds them there, through reloads, until they are asked for'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from start metrics reload upgrade stop help version status events logs up down restart signal' -a restart -d 'starts programs anew, one after the other, each ready before the next'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from start metrics reload upgrade stop help version status events logs up down restart signal' -a signal -d 'sends a signal to programs'
complete -c keepalivedd -n '__fish_seen_subcommand_from logs' -s f -l follow -d 'go on with what comes'
complete -c keepalivedd -n '__fish_seen_subcommand_from logs' -s n -l lines -x -a '10 100 all' -d 'how many of the last lines'
complete -c keepalivedd -n '__fish_seen_subcommand_from signal; and test (commandline -opc)[-1] = signal' -a 'HUP INT QUIT USR1 USR2 TERM KILL STOP CONT WINCH'
complete -c keepalivedd -n '__fish_seen_subcommand_from status events logs up down restart signal; and test (commandline -opc)[-1] != signal' -a '(__keepalivedd_programs)'

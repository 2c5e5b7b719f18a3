# fish completion for keepalivedd(8)
# Made by: go run ./packaging/completions/gen

complete -c keepalivedd -f
complete -c keepalivedd -s f -l use-file -r -F -d 'configuration (default /etc/keepalivedd/keepalivedd.toml)'
complete -c keepalivedd -s p -l pid -r -F -a 'none' -d 'pidfile, instead of the configuration; none: no pidfile'
complete -c keepalivedd -s n -l dont-fork -d 'stay in the foreground; implied as PID 1'
complete -c keepalivedd -s l -l log-console -d 'log to standard error; implied by -n on a terminal'
complete -c keepalivedd -s g -l log-file -r -F -d 'log to FILE'
complete -c keepalivedd -s S -l log-facility -x -a 'daemon user local0 local1 local2 local3 local4 local5 local6 local7' -d 'syslog facility: 0-7, local0-local7, user, daemon'
complete -c keepalivedd -s G -l no-syslog -d 'not to syslog'
complete -c keepalivedd -s D -l log-detail -d 'log debugging details too'
complete -c keepalivedd -s R -l dont-respawn -d 'do not start again what dies, for debugging'
complete -c keepalivedd -l ready-fd -x -d 'with -n: write a newline to descriptor N when ready, as s6 asks for'
complete -c keepalivedd -l umask -x -a '022 027 077' -d 'file mode creation mask, in octal (default 022)'
complete -c keepalivedd -s t -l config-test -d 'check the configuration, tell every mistake, start nothing'
complete -c keepalivedd -s d -l dump-conf -d 'print the configuration as it is understood'
complete -c keepalivedd -l signum -x -a 'STOP RELOAD DATA STATS' -d 'print the number of STOP, RELOAD, DATA or STATS'
complete -c keepalivedd -s v -l version -d 'print the version'
complete -c keepalivedd -s h -l help -d 'print the options'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from status reload stop' -a status -d 'tells whether it runs'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from status reload stop' -a reload -d 'checks the configuration and has the daemon take it on, as kill -HUP does'
complete -c keepalivedd -n 'not __fish_seen_subcommand_from status reload stop' -a stop -d 'stops the daemon and waits for its end'

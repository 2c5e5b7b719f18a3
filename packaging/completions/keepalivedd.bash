# bash completion for keepalivedd(8)                        -*- shell-script -*-
# Made by: go run ./packaging/completions/gen

_keepalivedd() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word
	COMPREPLY=()
	# --name=value comes as three words.
	if [ "$cur" = "=" ]; then
		cur=""
	elif [ "$prev" = "=" ]; then
		prev=${COMP_WORDS[COMP_CWORD-2]}
	fi
	case $prev in
		-f|--use-file)
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			compopt -o filenames 2>/dev/null
			return
			;;
		-p|--pid)
			mapfile -t COMPREPLY < <(compgen -W "none" -- "$cur"; compgen -f -- "$cur")
			compopt -o filenames 2>/dev/null
			return
			;;
		-g|--log-file)
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			compopt -o filenames 2>/dev/null
			return
			;;
		-S|--log-facility)
			mapfile -t COMPREPLY < <(compgen -W "daemon user local0 local1 local2 local3 local4 local5 local6 local7" -- "$cur")
			return
			;;
		--ready-fd)
			mapfile -t COMPREPLY < <(compgen -W "" -- "$cur")
			return
			;;
		--umask)
			mapfile -t COMPREPLY < <(compgen -W "022 027 077" -- "$cur")
			return
			;;
		--signum)
			mapfile -t COMPREPLY < <(compgen -W "STOP RELOAD DATA STATS" -- "$cur")
			return
			;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "-f --use-file -p --pid -n --dont-fork -l --log-console -g --log-file -S --log-facility -G --no-syslog -D --log-detail -R --dont-respawn --ready-fd --umask -t --config-test -d --dump-conf --signum -v --version -h --help" -- "$cur")
		return
	fi
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in status | reload | stop) return ;; esac
	done
	mapfile -t COMPREPLY < <(compgen -W "status reload stop" -- "$cur")
}
complete -F _keepalivedd keepalivedd

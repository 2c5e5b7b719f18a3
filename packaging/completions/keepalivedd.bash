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
	# Behind logs, -f and -n are those of tail(1).
	[[ " ${COMP_WORDS[*]:0:COMP_CWORD} " == *" logs "* ]] && prev=""
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
		--binary)
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			compopt -o filenames 2>/dev/null
			return
			;;
		--timeout)
			mapfile -t COMPREPLY < <(compgen -W "10s 90s 5m" -- "$cur")
			return
			;;
		--signum)
			mapfile -t COMPREPLY < <(compgen -W "STOP RELOAD DATA STATS" -- "$cur")
			return
			;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "-f --use-file -p --pid -n --dont-fork -l --log-console -g --log-file -S --log-facility -G --no-syslog -D --log-detail -R --dont-respawn --ready-fd --umask -t --config-test --dry-run --binary --json -w --watch --timeout --no-wait --together --with-dependents -d --dump-conf --signum -v --version -h --help" -- "$cur")
		return
	fi
	# The daemon to ask is the one that the line names; the verb is the first that is one.
	local verb="" at=0 ask=(keepalivedd) i
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
			-f | -p | --use-file | --pid)
				[ "${COMP_WORDS[i + 1]}" != "=" ] || ((i++))
				ask+=("$word" "${COMP_WORDS[++i]}")
				;;
			start | metrics | reload | upgrade | stop | help | version | status | events | logs | up | down | restart | signal)
				[ -n "$verb" ] || verb=$word at=$i
				[ "$verb" != logs ] || break
				;;
		esac
	done
	case $verb in
		"") ;;
		signal)
			if ((COMP_CWORD == at + 1)); then
				mapfile -t COMPREPLY < <(compgen -W "HUP INT QUIT USR1 USR2 TERM KILL STOP CONT WINCH" -- "$cur")
				return
			fi
			;;&
		status | events | logs | up | down | restart | signal)
			# web:1 comes as three words, of which the last is to be completed.
			local name=$cur
			if [ "$cur" = ":" ]; then
				name=$prev:
			elif [ "$prev" = ":" ]; then
				name=${COMP_WORDS[COMP_CWORD-2]}:$cur
			fi
			mapfile -t COMPREPLY < <(compgen -W "$("${ask[@]}" status --json 2>/dev/null |
				sed -n 's/^\t\t\t"name": "\([[:alnum:]_.:-]*\)",$/\1/p')" -- "$name")
			COMPREPLY=("${COMPREPLY[@]#"${name%"${name##*:}"}"}")
			return
			;;
		*) return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "start metrics reload upgrade stop help version status events logs up down restart signal" -- "$cur")
}
complete -F _keepalivedd keepalivedd

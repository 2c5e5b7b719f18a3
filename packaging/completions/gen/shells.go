package main

import (
	"fmt"
	"strings"
)

const made = "# Made by: go run ./packaging/completions/gen\n"

// named are the verbs that names of programs follow.
var named = []string{"status", "events", "logs", "up", "down", "restart", "signal"}

const signalNames = "HUP INT QUIT USR1 USR2 TERM KILL STOP CONT WINCH"

// programNames is a command that takes the names of all programs from the answer of status --json.
const programNames = `sed -n 's/^\t\t\t"name": "\([[:alnum:]_.:-]*\)",$/\1/p'`

func (p program) bash() string {
	var words, cases []string
	for _, o := range p.options {
		word := "--" + o.name
		if o.letter != "" {
			word = "-" + o.letter + "|" + word
			words = append(words, "-"+o.letter)
		}
		words = append(words, "--"+o.name)
		reply := ""
		switch {
		case o.argument == "":
			continue
		case o.file():
			reply = `mapfile -t COMPREPLY < <(compgen -W "` + strings.Join(o.values, " ") + `" -- "$cur"; compgen -f -- "$cur")
			compopt -o filenames 2>/dev/null`
		default:
			reply = `mapfile -t COMPREPLY < <(compgen -W "` + strings.Join(o.values, " ") + `" -- "$cur")`
		}
		reply = strings.Replace(reply, `compgen -W "" -- "$cur"; `, "", 1)
		cases = append(cases, "\t\t"+word+")\n\t\t\t"+reply+"\n\t\t\treturn\n\t\t\t;;\n")
	}
	return "# bash completion for keepalivedd(8)                        -*- shell-script -*-\n" + made + `
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
` + strings.Join(cases, "") + `	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "` + strings.Join(words, " ") + `" -- "$cur")
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
			` + strings.ReplaceAll(p.verbNames(), " ", " | ") + `)
				[ -n "$verb" ] || verb=$word at=$i
				[ "$verb" != logs ] || break
				;;
		esac
	done
	case $verb in
		"") ;;
		signal)
			if ((COMP_CWORD == at + 1)); then
				mapfile -t COMPREPLY < <(compgen -W "` + signalNames + `" -- "$cur")
				return
			fi
			;;&
		` + strings.Join(named, " | ") + `)
			# web:1 comes as three words, of which the last is to be completed.
			local name=$cur
			if [ "$cur" = ":" ]; then
				name=$prev:
			elif [ "$prev" = ":" ]; then
				name=${COMP_WORDS[COMP_CWORD-2]}:$cur
			fi
			mapfile -t COMPREPLY < <(compgen -W "$("${ask[@]}" status --json 2>/dev/null |
				` + programNames + `)" -- "$name")
			COMPREPLY=("${COMPREPLY[@]#"${name%"${name##*:}"}"}")
			return
			;;
		*) return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "` + p.verbNames() + `" -- "$cur")
}
complete -F _keepalivedd keepalivedd
`
}

func (p program) zsh() string {
	var b strings.Builder
	b.WriteString("#compdef keepalivedd\n" + made + `
_keepalivedd_programs() {
	(($words[(I)(` + strings.Join(named, "|") + `)])) || return
	if [[ $words[CURRENT-1] == signal ]]; then
		compadd ` + signalNames + `
		return
	fi
	local -a ask programs
	local i
	for ((i = 2; i < CURRENT; i++)); do
		case $words[i] in
			-f | -p | --use-file | --pid) ask+=("$words[i]" "${(Q)words[++i]}") ;;
			--use-file=* | --pid=*) ask+=("${(Q)words[i]}") ;;
			logs) break ;;
		esac
	done
	programs=(${(f)"$(keepalivedd $ask status --json 2>/dev/null | ` + programNames + `)"})
	compadd -a programs
}

# Behind logs, -f and -n are those of tail(1).
if (($words[(I)logs])); then
	_arguments -s -S \
		'*-f[go on with what comes]' '*--follow[go on with what comes]' \
		'*'{-n+,--lines=}'[how many of the last lines]:n:(10 100 all)' \
		'--json[print it as JSON]' \
		'*:program:_keepalivedd_programs'
	return
fi

_arguments -s -S \
`)
	quote := strings.NewReplacer("'", "", "[", "(", "]", ")", ":", "\\:")
	for _, o := range p.options {
		argument := ""
		switch {
		case o.argument == "":
		case o.file():
			argument = ":file:_files"
			if len(o.values) > 0 {
				argument = ":file:{_files; compadd " + strings.Join(o.values, " ") + "}"
			}
		default:
			argument = ":" + strings.ToLower(o.argument) + ":(" + strings.Join(o.values, " ") + ")"
		}
		meaning := quote.Replace(o.meaning)
		if o.letter == "" {
			equals := ""
			if o.argument != "" {
				equals = "="
			}
			fmt.Fprintf(&b, "\t'--%s%s[%s]%s' \\\n", o.name, equals, meaning, argument)
			continue
		}
		short, long := "-"+o.letter, "--"+o.name
		if o.argument != "" {
			short, long = short+"+", long+"="
		}
		fmt.Fprintf(&b, "\t'(-%s --%s)'{%s,%s}'[%s]%s' \\\n", o.letter, o.name, short, long, meaning, argument)
	}
	var verbs []string
	for _, v := range p.verbs {
		verbs = append(verbs, v.name+`\:"`+quote.Replace(v.meaning)+`"`)
	}
	fmt.Fprintf(&b, "\t'1:command:((%s))' \\\n", strings.Join(verbs, " "))
	b.WriteString("\t'*:program:_keepalivedd_programs'\n")
	return b.String()
}

func (p program) fish() string {
	var b strings.Builder
	b.WriteString("# fish completion for keepalivedd(8)\n" + made + `
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
	keepalivedd $ask status --json 2>/dev/null | ` + programNames + `
end

complete -c keepalivedd -f
`)
	quote := strings.NewReplacer("'", "", "\\", "")
	for _, o := range p.options {
		b.WriteString("complete -c keepalivedd")
		if o.letter == "f" || o.letter == "n" { // behind logs they are those of tail(1)
			b.WriteString(" -n 'not __fish_seen_subcommand_from logs'")
		}
		if o.letter != "" {
			b.WriteString(" -s " + o.letter)
		}
		b.WriteString(" -l " + o.name)
		switch {
		case o.argument == "":
		case o.file():
			b.WriteString(" -r -F")
		default:
			b.WriteString(" -x")
		}
		if len(o.values) > 0 {
			b.WriteString(" -a '" + strings.Join(o.values, " ") + "'")
		}
		b.WriteString(" -d '" + quote.Replace(o.meaning) + "'\n")
	}
	for _, v := range p.verbs {
		fmt.Fprintf(&b, "complete -c keepalivedd -n 'not __fish_seen_subcommand_from %s' -a %s -d '%s'\n",
			p.verbNames(), v.name, quote.Replace(v.meaning))
	}
	const ofLogs = "complete -c keepalivedd -n '__fish_seen_subcommand_from logs' "
	b.WriteString(ofLogs + "-s f -l follow -d 'go on with what comes'\n")
	b.WriteString(ofLogs + "-s n -l lines -x -a '10 100 all' -d 'how many of the last lines'\n")
	const after = "complete -c keepalivedd " +
		"-n '__fish_seen_subcommand_from %s; and test (commandline -opc)[-1] %s signal' -a '%s'\n"
	fmt.Fprintf(&b, after, "signal", "=", signalNames)
	fmt.Fprintf(&b, after, strings.Join(named, " "), "!=", "(__keepalivedd_programs)")
	return b.String()
}

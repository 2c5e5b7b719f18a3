package main

import (
	"fmt"
	"strings"
)

const made = "# Made by: go run ./packaging/completions/gen\n"

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
	case $prev in
` + strings.Join(cases, "") + `	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "` + strings.Join(words, " ") + `" -- "$cur")
		return
	fi
	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in ` + strings.ReplaceAll(p.verbNames(), " ", " | ") + `) return ;; esac
	done
	mapfile -t COMPREPLY < <(compgen -W "` + p.verbNames() + `" -- "$cur")
}
complete -F _keepalivedd keepalivedd
`
}

func (p program) zsh() string {
	var b strings.Builder
	b.WriteString("#compdef keepalivedd\n" + made + "\n_arguments -s -S \\\n")
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
	fmt.Fprintf(&b, "\t'1:command:((%s))'\n", strings.Join(verbs, " "))
	return b.String()
}

func (p program) fish() string {
	var b strings.Builder
	b.WriteString("# fish completion for keepalivedd(8)\n" + made + "\ncomplete -c keepalivedd -f\n")
	quote := strings.NewReplacer("'", "", "\\", "")
	for _, o := range p.options {
		b.WriteString("complete -c keepalivedd")
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
		fmt.Fprintf(&b, "complete -c keepalivedd -n 'not __fish_seen_subcommand_from %s' -a %s -d '%s'\n", p.verbNames(), v.name, quote.Replace(v.meaning))
	}
	return b.String()
}

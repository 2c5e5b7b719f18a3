package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
	"github.com/keepalivedd/keepalivedd/internal/stderr"
	"github.com/keepalivedd/keepalivedd/logging"
	"github.com/keepalivedd/keepalivedd/signals"
)

// version is set by the linker: -X main.version=v1.2.3.
var version = ""

// options are what the command line said. Paths are absolute.
type options struct {
	file       string
	foreground bool
	console    bool
	detail     bool
	facility   string
	logFile    string
	noSyslog   bool
	pid        string
	test       bool
	dump       bool
	noRespawn  bool
	umask      int
	noUmask    bool // it was given, and is 0
	readyFD    int
	dryRun     bool
	json       bool
	watch      bool
	verb       string
	names      []string // of programs, or patterns
	signal     string   // for them
	timeout    time.Duration
	noWait     bool
	together   bool
	dependents bool
	follow     bool // of logs
	lines      int
	binary     string // to upgrade to
	rehearse   bool
	absolute   []string // the command line as it means the same in any directory; nil: as it is
}

// verbs are what can be asked for in a word; "" and "start" are the same.
var verbs = []string{"", "start", "status", "metrics", "events", "logs", "reload", "upgrade", "stop", "help", "version",
	"up", "down", "restart", "signal"}

// acts are those that do something to programs.
var acts = []string{"up", "down", "restart", "signal"}

const defaultFile = "/etc/keepalivedd/keepalivedd.toml"

// parse reads the command line. With done there is nothing more to do than to leave with status.
func parse(args []string) (o *options, status int, done bool) {
	o = &options{lines: someLines}
	set := pflag.NewFlagSet(name, pflag.ContinueOnError)
	set.Usage = func() {}
	set.SetOutput(stderr.Writer{})
	set.StringVarP(&o.file, "use-file", "f", defaultFile, "")
	set.StringVarP(&o.pid, "pid", "p", "", "")
	set.BoolVarP(&o.foreground, "dont-fork", "n", false, "")
	set.BoolVarP(&o.console, "log-console", "l", false, "")
	set.StringVarP(&o.logFile, "log-file", "g", "", "")
	set.StringVarP(&o.facility, "log-facility", "S", "", "")
	set.BoolVarP(&o.noSyslog, "no-syslog", "G", false, "")
	set.BoolVarP(&o.detail, "log-detail", "D", false, "")
	set.BoolVarP(&o.noRespawn, "dont-respawn", "R", false, "")
	set.BoolVarP(&o.test, "config-test", "t", false, "")
	set.BoolVarP(&o.dump, "dump-conf", "d", false, "")
	set.BoolVar(&o.dryRun, "dry-run", false, "")
	set.StringVar(&o.binary, "binary", "", "")
	set.BoolVar(&o.rehearse, rehearseFlag, false, "") // not for people
	set.BoolVar(&o.json, "json", false, "")
	set.BoolVarP(&o.watch, "watch", "w", false, "")
	set.DurationVar(&o.timeout, "timeout", defaultWait, "")
	set.BoolVar(&o.noWait, "no-wait", false, "")
	set.BoolVar(&o.together, "together", false, "")
	set.BoolVar(&o.dependents, "with-dependents", false, "")
	set.IntVar(&o.readyFD, "ready-fd", 0, "")
	mask := set.String("umask", "", "")
	signum := set.String("signum", "", "")
	showVersion := set.BoolP("version", "v", false, "")
	showHelp := set.BoolP("help", "h", false, "")
	ambiguous := set.StringP("u", "u", "", "")
	words, err := o.parseVerb(set, args)
	if err != nil {
		return nil, misuse("%v", err), true
	}
	switch verb := words[0]; {
	case *showHelp, verb == "help":
		fmt.Print(help)
		return nil, ok, true
	case *showVersion, verb == "version":
		fmt.Println(name, versionText())
		return nil, ok, true
	case set.Changed("signum"):
		sig, err := signals.Parse(*signum)
		if err != nil {
			return nil, misuse("--signum: %v", err), true
		}
		fmt.Println(int(sig))
		return nil, ok, true
	case !slices.Contains(verbs, verb):
		return nil, misuse("unknown command %q%s", verb, meant(verb)), true
	case set.Changed("u"):
		return nil, misuse("-u %s: it is the umask in keepalived and the user everywhere else; write --umask MODE, "+
			"or user = in the configuration", *ambiguous), true
	}
	if err := o.complete(words, *mask); err != nil {
		return nil, misuse("%v", err), true
	}
	if o.absolute != nil {
		set.Visit(func(f *pflag.Flag) { o.absolute = append(o.absolute, "--"+f.Name+"="+f.Value.String()) })
		o.absolute = slices.DeleteFunc(append(o.absolute, words...), func(arg string) bool { return arg == "" })
	}
	if err := o.completeAct(set.Changed("timeout")); err != nil {
		return nil, misuse("%v", err), true
	}
	return o, 0, false
}

// parseVerb parses the options, those of logs by themselves, and returns the words: the verb first,
// "" when there is none.
func (o *options) parseVerb(set *pflag.FlagSet, args []string) (words []string, err error) {
	set.SetInterspersed(false)
	if err := set.Parse(args); err != nil || set.NArg() == 0 {
		return []string{""}, err
	}
	all, verb, rest := set, set.Arg(0), set.Args()[1:]
	switch verb {
	case "":
		return nil, errors.New(`unknown command ""; to start it, give none, or start`)
	case "logs":
		set = o.logsFlags(all)
	}
	set.SetInterspersed(true)
	err = set.Parse(rest)
	var unknown *pflag.NotExistError
	if set != all && errors.As(err, &unknown) && has(all, unknown.GetSpecifiedName()) {
		err = fmt.Errorf("%w; write it before %s, and so -f FILE", err, verb)
	}
	return append([]string{verb}, set.Args()...), err
}

// has reports whether there is an option of that name, or of that letter.
func has(set *pflag.FlagSet, of string) bool {
	return set.Lookup(of) != nil || len(of) == 1 && set.ShorthandLookup(of) != nil
}

// logsFlags are the options that may come after logs: of tail(1), and those by their long names that find the daemon.
func (o *options) logsFlags(all *pflag.FlagSet) *pflag.FlagSet {
	set := pflag.NewFlagSet(name, pflag.ContinueOnError)
	set.Usage = func() {}
	set.SetOutput(os.Stderr)
	set.BoolVarP(&o.follow, "follow", "f", false, "")
	set.VarP((*lineCount)(&o.lines), "lines", "n", "")
	for _, name := range []string{"json", "help"} {
		set.AddFlag(all.Lookup(name))
	}
	for _, name := range []string{"use-file", "pid"} {
		f := *all.Lookup(name)
		f.Shorthand = ""
		set.AddFlag(&f)
	}
	return set
}

// makeAbsolute is for every path: the daemon leaves this directory.
func (o *options) makeAbsolute() (err error) {
	for _, path := range []*string{&o.file, &o.pid, &o.logFile, &o.binary} {
		if *path == "" || path == &o.pid && *path == "none" {
			continue
		}
		if !filepath.IsAbs(*path) {
			o.absolute = []string{}
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	return nil
}

// complete checks what the flag parser cannot.
func (o *options) complete(args []string, mask string) error {
	if err := o.makeAbsolute(); err != nil {
		return err
	}
	if mask != "" {
		n, err := strconv.ParseUint(mask, 8, 9)
		if err != nil {
			return fmt.Errorf("--umask %s: give it in octal, such as 027", mask)
		}
		o.umask, o.noUmask = int(n), n == 0
	}
	if o.facility != "" {
		if _, err := logging.ParseFacility(o.facility); err != nil {
			return fmt.Errorf("--log-facility: %w", err)
		}
	}
	if args[0] != "start" {
		o.verb, o.names = args[0], args[1:]
	}
	switch {
	case len(args) <= 1, o.verb == "status", o.verb == "events", o.verb == "logs", slices.Contains(acts, o.verb):
	default:
		return notForPrograms(args[0], args[1])
	}
	if os.Getpid() == 1 {
		o.foreground = true
	}
	if err := o.fitVerb(); err != nil {
		return err
	}
	if o.readyFD != 0 && (o.readyFD < 3 || !o.foreground) {
		return o.noReadyFD()
	}
	return nil
}

// fitVerb refuses options of other verbs.
func (o *options) fitVerb() error {
	if (o.test || o.dump) && o.verb != "" {
		return notForStart(o.verb)
	}
	if o.json && o.verb != "status" && o.verb != "logs" {
		return errors.New("--json is for status and logs")
	}
	if o.watch && o.verb != "status" {
		return errors.New("--watch is for status")
	}
	if o.json && o.watch {
		return errors.New("--json and --watch are not for each other")
	}
	if o.dryRun && o.verb != "reload" && o.verb != "upgrade" {
		return errors.New("--dry-run: it is for reload and upgrade")
	}
	if o.binary != "" && o.verb != "upgrade" {
		return errors.New("--binary: it is for upgrade")
	}
	return nil
}

// completeAct checks what is said of up, down, restart and signal.
func (o *options) completeAct(timeout bool) error {
	act := slices.Contains(acts, o.verb)
	switch {
	case (timeout || o.noWait) && (!act || o.verb == "signal"):
		return errors.New("--timeout and --no-wait are for up, down and restart")
	case o.timeout <= 0:
		return fmt.Errorf("--timeout %v: it has to be longer", o.timeout)
	case o.together && o.verb != "restart":
		return errors.New("--together: it is for restart")
	case o.dependents && o.verb != "down":
		return errors.New("--with-dependents: it is for down")
	case !act:
		return nil
	}
	if o.verb == "signal" {
		if len(o.names) == 0 {
			return errors.New("signal: name the signal, and then the programs")
		}
		said := o.names[0]
		o.signal, o.names = signalName(said), o.names[1:]
		if _, err := signals.Parse(o.signal); err != nil {
			return fmt.Errorf("unknown signal %q: signal wants its name, such as HUP, or its number, and then programs", said)
		}
	}
	if len(o.names) == 0 {
		return fmt.Errorf("%s: name the programs; '*' is all", o.verb)
	}
	return nil
}

// override puts what the command line says in the place of what the configuration says.
func (o *options) override(c *settings.Config) *settings.Config {
	configured := c.Log.To
	if o.pid != "" {
		c.PIDFile = o.pid
	}
	switch {
	case o.logFile != "":
		c.Log.To = o.logFile
	case o.console, o.foreground && onTerminal(), o.noSyslog && c.Log.To == "syslog":
		c.Log.To = "stderr"
	}
	if o.facility != "" {
		c.Log.Facility = o.facility
	}
	if o.detail {
		c.Log.Level = "debug"
	}
	c.Lacking = slices.DeleteFunc(c.Lacking, func(e *settings.Error) bool { // for what is not used
		return e.Key == "pidfile" && o.pid != "" || e.Key == "log.to" && c.Log.To != configured
	})
	return c
}

func misuse(format string, args ...any) int {
	fmt.Fprintf(stderr.Writer{}, "%s: %s\nhint: see %s --help\n", name, fmt.Sprintf(format, args...), name)
	return usage
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, found := debug.ReadBuildInfo(); found && info.Main.Version != "" &&
		!strings.HasPrefix(info.Main.Version, "(") {
		return info.Main.Version
	}
	return "unreleased"
}

// lineCount is a number of lines, or "all".
type lineCount int

func (n *lineCount) Set(text string) error {
	if text == "all" {
		*n = math.MaxInt
		return nil
	}
	i, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return errors.New(`want a number of lines, or "all"`)
	}
	*n = lineCount(i)
	return nil
}

func (n *lineCount) String() string { return strconv.Itoa(int(*n)) }
func (*lineCount) Type() string     { return "lines" }

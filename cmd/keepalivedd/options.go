package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/config"
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
	readyFD    int
	verb       string
}

const defaultFile = "/etc/keepalivedd/keepalivedd.toml"

const help = `Usage: keepalivedd [options]                    start, in the background
       keepalivedd [options] status|reload|stop

Keeps programs alive: starts those of the configuration, and starts again what dies.

  -f, --use-file FILE       configuration (default ` + defaultFile + `)
  -p, --pid FILE            pidfile, instead of the configuration's; none: no pidfile
  -n, --dont-fork           stay in the foreground; implied as PID 1
  -l, --log-console         log to standard error; implied by -n on a terminal
  -g, --log-file FILE       log to FILE
  -S, --log-facility F      syslog facility: 0-7, local0-local7, user, daemon
  -G, --no-syslog           not to syslog
  -D, --log-detail          log debugging details too
  -R, --dont-respawn        do not start again what dies, for debugging
      --ready-fd N          with -n: write a newline to descriptor N when ready, as s6 asks for
      --umask MODE          file mode creation mask, in octal (default 022)
  -t, --config-test         check the configuration, tell every mistake, start nothing
  -d, --dump-conf           print the configuration as it is understood
      --signum NAME         print the number of STOP, RELOAD, DATA or STATS
  -v, --version             print the version
  -h, --help                print this

status  tells whether it runs: 0 it does, 1 dead but its pidfile is left, 3 stopped, 4 unknown or
        starting, 150 it runs but a program that is wanted is not up
reload  checks the configuration and has the daemon take it on, as kill -HUP does
stop    stops the daemon and waits for its end

Exit status: 0 done (a start: ready), 1 failure, 2 usage, 4 no permission, 6 configuration
missing or wrong, 7 not running (reload), 100 another instance is running (start).
`

// parse reads the command line. With done there is nothing more to do than to leave with status.
func parse(args []string) (o *options, status int, done bool) {
	o = &options{}
	set := pflag.NewFlagSet(name, pflag.ContinueOnError)
	set.SetInterspersed(true)
	set.Usage = func() {}
	set.SetOutput(os.Stderr)
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
	set.IntVar(&o.readyFD, "ready-fd", 0, "")
	mask := set.String("umask", "", "")
	signum := set.String("signum", "", "")
	showVersion := set.BoolP("version", "v", false, "")
	showHelp := set.BoolP("help", "h", false, "")
	ambiguous := set.StringP("u", "u", "", "")
	if err := set.Parse(args); err != nil {
		return nil, misuse("%v", err), true
	}
	switch {
	case *showHelp:
		fmt.Print(help)
		return nil, ok, true
	case *showVersion:
		fmt.Println(name, versionText())
		return nil, ok, true
	case set.Changed("signum"):
		sig, err := signals.Parse(*signum)
		if err != nil {
			return nil, misuse("--signum: %v", err), true
		}
		fmt.Println(int(sig))
		return nil, ok, true
	case set.Changed("u"):
		return nil, misuse("-u %s: it is the umask in keepalived and the user everywhere else; write --umask MODE, or user = in the configuration", *ambiguous), true
	}
	if err := o.complete(set.Args(), *mask); err != nil {
		return nil, misuse("%v", err), true
	}
	return o, 0, false
}

// complete checks what the flag parser cannot, and makes every path absolute: the daemon leaves this directory.
func (o *options) complete(args []string, mask string) (err error) {
	for _, path := range []*string{&o.file, &o.pid, &o.logFile} {
		if *path == "" || path == &o.pid && *path == "none" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if mask != "" {
		n, err := strconv.ParseUint(mask, 8, 9)
		if err != nil {
			return fmt.Errorf("--umask %s: give it in octal, such as 027", mask)
		}
		o.umask = int(n)
	}
	if o.facility != "" {
		if _, err := logging.ParseFacility(o.facility); err != nil {
			return fmt.Errorf("--log-facility: %w", err)
		}
	}
	if len(args) > 0 {
		switch o.verb = args[0]; o.verb {
		case "status", "reload", "stop":
		default:
			return fmt.Errorf("unknown command %q: there are status, reload and stop", o.verb)
		}
		args = args[1:]
	}
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q", args[0])
	}
	if os.Getpid() == 1 {
		o.foreground = true
	}
	if o.readyFD == 0 {
		return nil
	}
	if _, err := unix.FcntlInt(uintptr(o.readyFD), unix.F_GETFD, 0); err != nil || o.readyFD < 3 || !o.foreground {
		return fmt.Errorf("--ready-fd %d: it takes -n, and an open descriptor from 3 on", o.readyFD)
	}
	return nil
}

// override puts what the command line says in the place of what the configuration says.
func (o *options) override(c *config.Config) *config.Config {
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
	return c
}

func onTerminal() bool {
	_, err := unix.IoctlGetTermios(2, unix.TCGETS)
	return err == nil
}

func misuse(format string, args ...any) int {
	fmt.Fprintf(os.Stderr, "%s: %s\nhint: see %s --help\n", name, fmt.Sprintf(format, args...), name)
	return usage
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, found := debug.ReadBuildInfo(); found && info.Main.Version != "" && !strings.HasPrefix(info.Main.Version, "(") {
		return info.Main.Version
	}
	return "unreleased"
}

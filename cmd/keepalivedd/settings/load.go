package settings

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/keepalivedd/keepalivedd/config"
)

// Load reads the file and all that it includes, each once: the bytes that are checked are the bytes
// that are used. A relative path means the working directory at the time of the call.
//
// The error is of type [Errors] and holds every mistake that can be told at once, what is lacking included: a file that
// is not TOML gives its first syntax error only. When nothing is wrong it is nil,
// and Config.Lacking has what is lacking.
func Load(path string) (*Config, error) { return LoadOn(Machine{}, path) }

// Machine finds what this package does not know how to look for, and says what is to be looked for. What nobody can
// look for is not lacking.
type Machine struct {
	// Cgroup tells why no program can be given a cgroup with these controllers, "memory" and the like.
	// Nil: nobody can look.
	Cgroup func(controllers ...string) error
	// Itself says that nobody wants to know what programs lack: only what the daemon itself needs is looked for.
	Itself bool
	// Contents says that executables are looked into, on whatever disk they are: nobody is kept waiting by that but the
	// caller.
	Contents bool
}

// LoadOn is Load, with more that is looked for.
func LoadOn(m Machine, path string) (*Config, error) { return loadOn(m, path, disk{}) }

func loadOn(m Machine, path string, files files) (*Config, error) {
	l, c := read(path, files)
	if l.Root != nil {
		c.Lacking = l.look(c, m)
		c.Warnings = errorsOf(l.Warnings)
	}
	mistakes := errorsOf(l.Mistakes())
	if mistakes == nil {
		return c, nil
	}
	for _, lacking := range c.Lacking {
		if !errors.Is(lacking, fs.ErrPermission) && !isInUse(lacking) { // of this process, which may only be asking
			mistakes = append(mistakes, lacking)
		}
	}
	mistakes.sort()
	return nil, mistakes
}

// Salvage returns what can be understood of a configuration: whatever is wrong or cannot be read has its default. It is
// for finding the daemon that runs, to tell of it or to stop it; never start anything with it.
func Salvage(path string) *Config {
	_, c := read(path, disk{})
	return c
}

// loader has what is found while a configuration is read.
type loader struct {
	*config.Document
	files    files
	users    users
	envFiles map[string]*envFile // by path
	sections map[string]*section // with instances, by name
	texts    map[string]string
}

func newLoader(files files) *loader {
	l := &loader{
		files: files, users: users{}, envFiles: map[string]*envFile{}, sections: map[string]*section{},
		texts: map[string]string{},
	}
	l.Document = &config.Document{
		Format: "keepalivedd is configured in TOML, see keepalivedd.toml(5)", Foreign: foreign, Files: files, Data: l,
	}
	return l
}

// loaderOf is for the methods that package config calls.
func loaderOf(d *config.Document) *loader { return d.Data.(*loader) }

func read(path string, files files) (*loader, *Config) {
	l, c := newLoader(files), new(Config)
	l.Read(path, c)
	if l.Root != nil {
		l.findUsers(c.Programs)
		l.order(c.Programs)
		l.cgroups(c)
		l.stops(c)
		l.instances(c)
		l.listens(c.Programs)
	}
	c.Warnings = errorsOf(l.Warnings)
	c.Files, c.EnvironmentFiles = l.Sources, slices.Sorted(maps.Keys(l.envFiles))
	return l, c
}

// findUsers looks up the users of programs, and of the sections that will make some.
func (l *loader) findUsers(programs []Program) {
	for i := range programs {
		l.findUsersOf(&programs[i])
	}
	for _, s := range l.sections {
		l.users.find(&s.program.User)
	}
}

func (l *loader) findUsersOf(p *Program) {
	l.users.find(&p.User)
	if p.Settings != nil { // nil in what is no table
		for i := range p.Listen {
			l.users.find(&p.Listen[i].Owner)
		}
	}
}

// text returns one copy of each string, whatever the number of programs that have it.
func (l *loader) text(s string) string {
	if known, ok := l.texts[s]; ok {
		return known
	}
	l.texts[s] = s
	return s
}

// foreign recognises supervisord's configuration, and a unit of systemd, by a header.
func foreign(line string) (format string) {
	header, bracketed := strings.CutPrefix(line, "[")
	header, _, closed := strings.Cut(header, "]")
	if !bracketed || !closed {
		return ""
	}
	if slices.Contains([]string{"Unit", "Service", "Socket"}, header) {
		return "a unit of systemd"
	}
	known := []string{"supervisord", "supervisorctl", "unix_http_server", "inet_http_server"}
	kind, _, named := strings.Cut(header, ":")
	if named {
		known = []string{"program", "group", "eventlistener", "fcgi-program", "rpcinterface"}
	}
	if !slices.Contains(known, kind) {
		return ""
	}
	return "supervisord's configuration (INI)"
}

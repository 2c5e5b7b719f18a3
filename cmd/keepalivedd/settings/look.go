package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/address"
	"github.com/keepalivedd/keepalivedd/config"
)

// What the system has to have for a configuration is looked for here. It is looked for when all has been read: what is
// not there is lacking for a program, and programs may share what was decoded.

// looker asks for each thing once, however many programs need it.
type looker struct {
	*loader
	seen    map[sight]error
	let     map[access]error
	limits  map[Limit]error
	rights  rights
	machine Machine
	lacking Errors

	controllers map[string]error // of cgroups
	insides     map[string]content
	warned      map[*config.Value]bool // of the insides
	listening   address.Table
	first       map[spot]*Error // of what several instances of a section lack
}

// spot is where something is lacking, and whether it only may not be had.
type spot struct {
	at     *config.Value
	denied bool
}

// sight is a path, and what has to be there.
type sight struct {
	kind thing
	path string
}

type thing uint8

const (
	anExecutable thing = iota
	aDirectory
	aPlace   // a directory in which files can be made
	aPIDFile // a path in such a directory; one of metrics is too
	anOutput // a file that can be appended to, or made
)

// look returns what is lacking for what the configuration asks for, with its places. What it says wrongly is not
// looked for.
func (l *loader) look(c *Config, m Machine) Errors {
	k := &looker{loader: l, seen: map[sight]error{}, let: map[access]error{}, limits: map[Limit]error{},
		first: map[spot]*Error{}, rights: rightsNow(), machine: m, controllers: map[string]error{},
		insides: map[string]content{}, warned: map[*config.Value]bool{}}
	k.daemon(c)
	programs := l.Root.At("program")
	for i := range c.Programs {
		if m.Itself {
			break
		}
		if p := &c.Programs[i]; p.Settings != nil { // nil in what is no table
			k.program(p, programs)
		}
	}
	k.lacking.sort()
	return k.lacking
}

// daemon looks for what the daemon itself needs.
func (k *looker) daemon(c *Config) {
	if c.Events != nil {
		k.command("", nil, k.Root.At("events", "command"), c.Events.Command)
	}
	if c.Startup != nil {
		k.command("", nil, k.Root.At("startup", "command"), c.Startup.Command)
	}
	if c.Shutdown != nil {
		k.command("", nil, k.Root.At("shutdown", "command"), c.Shutdown.Command)
	}
	k.path("", k.Root.At("log", "to"), sight{anOutput, c.Log.To})
	k.path("", k.Root.At("pidfile"), sight{aPIDFile, c.PIDFile})
	k.path("", k.Root.At("metrics_file"), sight{aPIDFile, c.MetricsFile})
	if c.Cgroups == Require {
		k.lackCgroup("", k.Root.At("cgroups"))
	}
	if c.Control != nil && c.Control.Group != (GroupName{}) {
		again := func() error { return k.rights.give(c.Control.Group) }
		k.lack("", k.Root.At("control", "group"), again(), again)
	}
}

func (k *looker) program(p *Program, programs *config.Value) {
	section, number := p.section()
	n := programs.At(p.Name)
	if n != nil && section != p.Name {
		return // no program can have that name, and an instance of another section may
	}
	if n == nil {
		n = programs.At(section)
	}
	if p.Instances == nil && n.At("instances") != nil {
		return // they are not known
	}
	k.command(p.Name, p.User, n.At("command"), p.Command)
	if at := n.At("directory"); at != nil && !k.path(p.Name, at, sight{aDirectory, p.Directory}) {
		k.lackLet(p.Name, p.User, at, p.Directory)
	}
	if p.User != nil {
		k.lackUser(p.Name, n.At("user"), p.User, k.rights.become)
	}
	if again := p.ReadEnvironment; again != nil {
		at := n.At("environment_file")
		path := at.Text()
		if p.Instances != nil {
			path = marksFor(number).Replace(path)
		}
		k.lack(p.Name, at, k.envFiles[filepath.Clean(path)].err, func() error { _, err := again(); return err })
	}
	if p.Check != nil {
		k.command(p.Name, p.User, n.At("check", "command"), p.Check.Command)
	}
	k.command(p.Name, p.User, n.At("gate"), p.Gate)
	k.command(p.Name, p.User, n.At("on_change"), p.OnChange)
	k.path(p.Name, n.At("output"), sight{anOutput, p.Output})
	for _, limit := range p.Limits {
		err, known := k.limits[limit]
		if !known {
			err = k.rights.limit(limit)
			k.limits[limit] = err
		}
		k.lack(p.Name, n.At("limits", limit.Name()), err, nil)
	}
	if sockets := n.At("listen"); sockets != nil {
		for i := range p.Listen {
			k.listen(p, &p.Listen[i], sockets.Items()[i])
		}
	}
	if p.Nice != nil {
		k.lack(p.Name, n.At("nice"), k.rights.nice(*p.Nice), nil)
	}
	if p.OOMScoreAdj != nil {
		k.lack(p.Name, n.At("oom_score_adj"), k.rights.oomScoreAdj(*p.OOMScoreAdj), nil)
	}
	for _, c := range p.controllers() {
		k.lackCgroup(p.Name, n.At(c.key), c.name)
	}
}

// lackUser looks for a user, and whether this process may do what it is to do with them.
func (k *looker) lackUser(program string, n *config.Value, u *User, may func(*User) error) {
	if u.Known() {
		k.lack(program, n, may(u), nil)
		return
	}
	k.lack(program, n, k.users[u.spec].missing, func() error { _, err := u.Find(); return err })
}

// lackCgroup asks once for each controller.
func (k *looker) lackCgroup(program string, n *config.Value, controllers ...string) {
	find := k.machine.Cgroup
	if find == nil {
		return
	}
	which := strings.Join(controllers, " ")
	err, known := k.controllers[which]
	if !known {
		err = find(controllers...)
		k.controllers[which] = err
	}
	k.lack(program, n, err, func() error { return find(controllers...) })
}

// lack records what is lacking for the value of n, if err says that something is.
func (k *looker) lack(program string, n *config.Value, err error, again func() error) {
	if err == nil || n == nil {
		return
	}
	mistake := &Error{Mistake: *n.Mistake(err), Program: program, again: again}
	if strings.Contains(program, ":") {
		here := spot{n, errors.Is(err, fs.ErrPermission)}
		if first := k.first[here]; first != nil {
			first.More = append(first.More, mistake)
			return
		}
		k.first[here] = mistake
	}
	k.lacking = append(k.lacking, mistake)
}

func (k *looker) path(program string, n *config.Value, s sight) (lacking bool) {
	if n == nil || !filepath.IsAbs(s.path) {
		return false // a word, such as syslog
	}
	err := k.see(s)
	k.lackSight(program, n, s, err)
	return err != nil
}

// lackLet is for what is there, and may be nothing for the program's user.
func (k *looker) lackLet(program string, u *User, n *config.Value, path string) {
	files := k.files
	k.lack(program, n, k.lets(u, path), func() error { return letsNow(files, u, path) })
}

func (k *looker) lackSight(program string, n *config.Value, s sight, err error) {
	if err != nil {
		files := k.files
		k.lack(program, n, err, func() error { return s.of(files) })
	}
}

func (k *looker) command(program string, u *User, n *config.Value, c Command) {
	if n == nil || len(c) == 0 {
		return
	}
	s := sight{anExecutable, c[0]}
	err := k.see(s)
	if errors.Is(err, fs.ErrNotExist) && len(c) == 1 {
		// All of it in one string?
		if words := strings.Fields(c[0]); len(words) > 1 && k.see(sight{anExecutable, words[0]}) == nil {
			err = fmt.Errorf("%w; write %s", err, listFor(k.files, c[0]))
		}
	}
	if k.lackSight(program, n.Items()[0], s, err); err == nil {
		k.lackLet(program, u, n.Items()[0], c[0])
		if k.machine.Contents {
			k.contents(program, u, n.Items()[0], c[0])
		}
	}
}

func (k *looker) see(s sight) error {
	err, known := k.seen[s]
	if !known {
		err = s.of(k.files)
		k.seen[s] = err
	}
	return err
}

// of says what is in the way.
func (s sight) of(files files) error {
	mode, err := files.stat(s.path, s.kind != anOutput)
	if s.kind == aPIDFile || s.kind == anOutput && errors.Is(err, fs.ErrNotExist) {
		if err := (sight{aPlace, filepath.Dir(s.path)}).of(files); err != nil {
			return fmt.Errorf("%s: the directory %w", s.path, err)
		}
		return nil
	}
	right := uint32(unix.X_OK)
	switch {
	case err != nil:
	case s.kind == anExecutable && !mode.IsRegular():
		return fmt.Errorf("%s: it is %s, not an executable file", s.path, config.FileKind(mode))
	case s.kind == anExecutable && mode&0o111 == 0:
		return fmt.Errorf("%s: it is not executable (chmod +x)", s.path)
	case (s.kind == aDirectory || s.kind == aPlace) && !mode.IsDir():
		return fmt.Errorf("%s: it is %s, not a directory", s.path, config.FileKind(mode))
	case s.kind == aPlace:
		right = unix.W_OK | unix.X_OK
	case s.kind == anOutput && !mode.IsRegular() && mode&fs.ModeCharDevice == 0:
		return fmt.Errorf("%s: it is %s, not a regular file", s.path, config.FileKind(mode))
	case s.kind == anOutput:
		right = unix.W_OK
	}
	if err == nil {
		err = files.may(s.path, right)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	return nil
}

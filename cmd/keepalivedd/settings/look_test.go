package settings

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// system is a memory that has some executables, and counts who looks for what.
type system struct {
	memory
	has    string // paths, with blanks around them
	denied error
	looks  map[string]int
}

func (s system) stat(path string, _ bool) (fs.FileMode, error) {
	if s.looks != nil {
		s.looks[path]++
	}
	if strings.Contains(s.has, " "+path+" ") {
		return 0o755, nil
	}
	return 0, fs.ErrNotExist
}

func (s system) may(string, uint32) error { return s.denied }

// A program without its path: the one that is in the PATH of programs is proposed. // issue 7.C
func TestProposedPath(t *testing.T) {
	t.Parallel()
	s := system{has: " /bin/webd /usr/bin/webd /sbin/cd "}
	for value, want := range map[string]string{
		`["webd"]`:       `must begin with the program's absolute path, not "webd"; write "/usr/bin/webd"`,
		`["webd", "-f"]`: `must begin with the program's absolute path, not "webd"; write "/usr/bin/webd"`,
		`["bin/webd"]`:   `must begin with the program's absolute path, not "bin/webd"`,
		`["wbd"]`:        `must begin with the program's absolute path, not "wbd"`,
		`["webd -f x"]`: `must begin with the program's absolute path, not "webd -f x"; write ["/usr/bin/webd", ` +
			`"-f", "x"]`,
		`["wbd -f x"]`: `must begin with the program's absolute path, not "wbd -f x"`,
		`"webd -f"`:    `must be a list of strings, not a string; write ["/usr/bin/webd", "-f"]`,
		`["cd /srv && ./run"]`: `must begin with the program's absolute path, not "cd /srv && ./run"; write ["/bin/sh", ` +
			`"-c", "cd /srv && ./run"]`,
		`"cd /srv && ./run"`: `must be a list of strings, not a string; write ["/bin/sh", "-c", "cd /srv && ./run"]`,
		`["webd", "|", "wc"]`: `must begin with the program's absolute path, not "webd"; write ["/bin/sh", "-c", ` +
			`"webd | wc"]`,
		`["/bin/webd -f 'a b'"]`: `/bin/webd -f 'a b': file does not exist; write ["/bin/sh", "-c", "/bin/webd -f 'a b'"]`,
		`webd -f`: `not valid TOML: a command is a list of strings, each in quotes; ` +
			`write command = ["/usr/bin/webd", "-f"]`,
	} {
		s.main = "[program.web]\ncommand = " + value + "\n"
		c, err := load("/main.toml", s)
		if err == nil {
			err = c.Lacking
		}
		if _, got, _ := strings.Cut(strings.Replace(err.Error(), "program.web.command: ", "", 1), ": "); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", value, got, want)
		}
	}
}

// However many programs need it, each path is looked at once. // issue 7.A4
func TestLookedAtOnce(t *testing.T) {
	t.Parallel()
	s := system{memory{main: programs(100, func(int) string {
		return "directory = \"/srv\"\ngate = [\"/bin/gate\"]\noutput = \"/var/log/x\"\n"
	})}, " /bin/true ", nil, map[string]int{}}
	c, err := load("/main.toml", s)
	if err != nil {
		t.Fatal(err)
	}
	for path, times := range s.looks {
		if times != 1 {
			t.Errorf("%s: looked at %d times", path, times)
		}
	}
	if len(c.Lacking) != 300 {
		t.Errorf("%d lacking", len(c.Lacking))
	}
}

// What only this process may not look at, or do, is told apart; when something is wrong it would only be in the way.
// issue 7.A4
func TestDenied(t *testing.T) {
	t.Parallel()
	s := system{memory{main: "[program.web]\ncommand = [\"/bin/true\"]\n"}, " /bin/true ", unix.EACCES, nil}
	c, err := load("/main.toml", s)
	if err != nil || len(c.Lacking) != 1 || !errors.Is(c.Lacking[0], fs.ErrPermission) {
		t.Fatalf("got %v, %v", c, err)
	}
	s.main += "restart = \"sometimes\"\n"
	if _, err = load("/main.toml", s); err == nil || strings.Contains(err.Error(), "denied") {
		t.Errorf("got %v", err)
	}
}

// What setrlimit(2) and the like would refuse is found by looking. // promise S9
func TestRights(t *testing.T) {
	t.Parallel()
	all := rights{root: true}
	for i := range all.capabilities {
		all.capabilities[i].Effective = ^uint32(0)
	}
	unlimited := Limit{unix.RLIMIT_NOFILE, unix.RLIM_INFINITY, unix.RLIM_INFINITY}
	if err := all.limit(unlimited); err == nil || errors.Is(err, fs.ErrPermission) ||
		!strings.HasPrefix(err.Error(), "unlimited is above ") {
		t.Errorf("more than fs.nr_open: %v", err)
	}
	for _, resource := range resources {
		var now unix.Rlimit
		if resource == unix.RLIMIT_NOFILE || unix.Prlimit(0, resource, nil, &now) != nil || now.Max == unix.RLIM_INFINITY {
			continue
		}
		if err := (rights{}).limit(Limit{resource, 0, now.Max}); err != nil {
			t.Errorf("as it is: %v", err)
		}
		err := rights{}.limit(Limit{resource, 0, now.Max + 1})
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), " is above the hard limit of ") {
			t.Errorf("above the hard limit: %v", err)
		}
		if err := (rights{root: true}).limit(Limit{resource, 0, now.Max + 1}); err == nil ||
			!strings.HasSuffix(err.Error(), "; to go beyond, the capability CAP_SYS_RESOURCE is missing") {
			t.Errorf("above the hard limit, for root: %v", err)
		}
	}
	first := 1024
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err == nil {
		first, _ = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	priority, _ := unix.Getpriority(unix.PRIO_PROCESS, 0)
	nice := 20 - priority
	for name, c := range map[string]struct {
		rights rights
		err    error
		want   string
	}{
		"the same user": {rights{}, rights{}.become(&User{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}), ""},
		"another user": {rights{}, rights{}.become(&User{Name: "x", UID: 4000000001}),
			"only root can run programs as another user"},
		"another group": {rights{}, rights{}.become(&User{Name: "x", UID: uint32(os.Geteuid()), GID: 4000000001}),
			"only root can run programs as another user"},
		"root without":  {rights{root: true}, rights{root: true}.become(&User{Name: "x", UID: 4000000001}), "CAP_SETUID"},
		"any user":      {all, all.become(&User{UID: 4000000001}), ""},
		"nicer":         {rights{}, rights{}.nice(19), ""},
		"as nice":       {rights{}, rights{}.nice(nice), ""},
		"first port":    {rights{}, rights{}.listen(first), ""},
		"port before":   {rights{}, rights{}.listen(first - 1), "only root can, below"},
		"any nice":      {all, all.nice(-20), ""},
		"any score":     {all, all.oomScoreAdj(-1000), ""},
		"a worse score": {rights{}, rights{}.oomScoreAdj(1000), ""},
	} {
		if c.err == nil && c.want == "" ||
			c.err != nil && c.want != "" && strings.Contains(c.err.Error(), c.want) &&
				errors.Is(c.err, fs.ErrPermission) != c.rights.root {
			continue
		}
		t.Errorf("%s: got %v, want %q", name, c.err, c.want)
	}
}

// What somebody may execute is executable, be it only others than the owner; and output goes to no FIFO, whose reader
// it would wait for. promise S9
func TestLookedAtKinds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run, fifo := filepath.Join(dir, "run"), filepath.Join(dir, "fifo")
	if err := os.WriteFile(run, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for mode, executable := range map[fs.FileMode]bool{0o644: false, 0o654: true, 0o645: true, 0o744: true} {
		os.Chmod(run, mode)
		err := sight{anExecutable, run}.of(disk{})
		if told := err != nil && strings.Contains(err.Error(), "it is not executable"); told == executable {
			t.Errorf("%o: %v", mode, err)
		}
	}
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (sight{anOutput, fifo}).of(disk{}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("FIFO: %v", err)
	}
	os.Chmod(dir, 0o500)
	defer os.Chmod(dir, 0o700)
	if err := (sight{aPIDFile, run}).of(disk{}); os.Geteuid() != 0 && !errors.Is(err, fs.ErrPermission) {
		t.Errorf("pidfile where none can be made: %v", err)
	}
}

// A user who is not there is nobody whose number could be used by mistake, and can be looked for again.
// promise S8; issue 7.A5
func TestUnknownUser(t *testing.T) {
	t.Parallel()
	c := loadText(t, memory{main: "[program.a]\ncommand = [\"/bin/true\"]\nuser = \"no-such-user:0\"\n[program.b]\n" +
		"command = [\"/bin/true\"]\nuser = \"root\"\n"})
	u := c.Programs[0].User
	if u.Known() || u.UID == 0 || u.GID == 0 || u.Name != "no-such-user" {
		t.Errorf("got %+v", u)
	}
	if again, err := u.Find(); again != nil || err == nil || err.Error() != `unknown user "no-such-user"` {
		t.Errorf("got %+v, %v", again, err)
	}
	if root := c.Programs[1].User; !root.Known() {
		t.Error("root is not known")
	} else if again, err := root.Find(); err != nil || again.UID != 0 {
		t.Errorf("got %+v, %v", again, err)
	}
}

// An environment_file that comes later is read then, and whole. // promise S8; issue 7.A5
func TestReadEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	main, env := filepath.Join(dir, "main.toml"), filepath.Join(dir, "env")
	if err := os.WriteFile(main,
		[]byte("[program.a]\ncommand = [\"/bin/true\"]\nenvironment = { A = \"own\" }\nenvironment_file = \""+env+"\"\n"),
		0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Load(main)
	if err != nil || len(c.Lacking) != 1 || c.Lacking[0].Program != "a" {
		t.Fatalf("got %+v, %v", c, err)
	}
	read := c.Programs[0].ReadEnvironment
	if _, err := read(); !errors.Is(err, fs.ErrNotExist) || len(c.Lacking.Still()) != 1 {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(env, []byte("A=file\nB"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := read(); err == nil || !strings.Contains(err.Error(), env+":2:1: must be NAME=VALUE") {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(env, []byte("A=file\nB=2"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := read(); err != nil || len(got) != 2 || got["A"] != "own" || got["B"] != "2" ||
		len(c.Lacking.Still()) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

// What cannot be had of cgroups is told for each key that asks for it, and looked for once. // promise S9, issue 8.5
func TestCgroupsLack(t *testing.T) {
	t.Parallel()
	asked := map[string]int{}
	m := Machine{Cgroup: func(controllers ...string) error {
		asked[strings.Join(controllers, " ")]++
		if len(controllers) == 1 && controllers[0] == "pids" {
			return nil
		}
		return errors.New("not to be had")
	}}
	s := system{memory: memory{main: "cgroups = \"require\"\n" + programs(3, func(i int) string {
		return [...]string{"", "memory = \"1M\"\npids = 9\ncpu_weight = 1\n", "memory = 4096\ninstances = 2\n"}[i]
	})}, has: " /bin/true "}
	c, err := loadOn(m, "/main.toml", s)
	if err != nil {
		t.Fatal(err)
	}
	want := `/main.toml:1:11: cgroups: not to be had
/main.toml:6:10: program.p1.memory: not to be had
/main.toml:8:14: program.p1.cpu_weight: not to be had
/main.toml:11:10: program.p2.memory: not to be had; and so for 1 more of its instances`
	if c.Lacking.Error() != want {
		t.Errorf("got\n%v", c.Lacking)
	}
	for which, n := range asked {
		if n != 1 {
			t.Errorf("asked %d times for %q", n, which)
		}
	}
	if still := c.Lacking.Still(); len(still) != 4 {
		t.Errorf("still: %v", still)
	}
	if c := loadText(t, s.memory); len(c.Lacking) > 0 && strings.Contains(c.Lacking.Error(), "not to be had") {
		t.Errorf("nobody can look: %v", c.Lacking)
	}
}

// promise U1: what programs lack is not looked for where nobody wants to know.
func TestLookForTheDaemonItself(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.toml")
	text := "metrics_file = \"/no/such/m.prom\"\n[program.web]\ncommand = [\"/no/such/webd\"]\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, itself := range []bool{false, true} {
		c, err := LoadOn(Machine{Itself: itself}, path)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"metrics_file", "program.web.command"}
		if itself {
			want = want[:1]
		}
		var keys []string
		for _, e := range c.Lacking {
			keys = append(keys, e.Key)
		}
		if !slices.Equal(keys, want) {
			t.Errorf("itself %v: %q, want %q", itself, keys, want)
		}
	}
}

// promise S9: whatever may be lacking is looked for, at its key
func TestAllIsLookedFor(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "conf.toml")
	text := `metrics_file = "/no/such/directory/k.prom"
[program.a]
command = ["/bin/true"]
limits = { nofile = 1_000_000_000_000 }
nice = -20
oom_score_adj = -1000
`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"metrics_file": true, "program.a.limits.nofile": true,
		"program.a.nice":          rightsNow().nice(-20) != nil, // nothing is, for root
		"program.a.oom_score_adj": rightsNow().oomScoreAdj(-1000) != nil}
	for _, e := range c.Lacking {
		if !want[e.Key] {
			t.Errorf("lacking: %v", e)
		}
		delete(want, e.Key)
	}
	for key, lacking := range want {
		if lacking {
			t.Errorf("%s is not looked for", key)
		}
	}
}

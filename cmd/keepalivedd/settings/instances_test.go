package settings

import (
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func namesOf(c *Config) (names []string) {
	for _, p := range c.Programs {
		names = append(names, p.Name)
	}
	return names
}

// A section with instances makes so many programs, in the order of their numbers, and has no other part in the order of
// names. // issue 8.7
func TestInstances(t *testing.T) {
	t.Parallel()
	const section = "[program.%s]\ncommand = [\"/bin/true\"]\n%s\n"
	c := loadText(t, memory{main: fmt.Sprintf(section+section+section+section,
		"worker", "instances = 11", "worker-a", "after = [\"worker:2\"]", "a", "requires = [\"worker\", \"one\"]", "one",
		"instances = 1")})
	want := strings.Fields("a one:1 worker:1 worker:2 worker:3 worker:4 worker:5 worker:6 worker:7 worker:8 worker:9 " +
		"worker:10 worker:11 worker-a")
	if got := namesOf(c); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got, want := c.Programs[0].Requires, append(slices.Clone(want[2:13]), "one:1"); !slices.Equal(got, want) {
		t.Errorf("a requires %q, want %q", got, want)
	}
	if got := c.Programs[13].After; !slices.Equal(got, []string{"worker:2"}) {
		t.Errorf("worker-a comes after %q", got)
	}
}

// The number is in every string of the section, and in nothing else: not in a name, not in what an environment_file
// has. issue 8.7
func TestMarks(t *testing.T) {
	t.Parallel()
	const main = `
[program.w]
instances = 2
command = ["/bin/w%i", "%i%%i%i", "%%", "-"]
user = "0:%i"
directory = "/srv/%i"
environment = { "%i" = "%i", B = "b" }
environment_file = "/more.env"
output = "/log/%i"
check = { command = ["/bin/check", "%i"] }
gate = ["/bin/gate", "%i"]
gate_delay = "9s"
on_change = ["/bin/told", "%i"]
after = ["x:%i"]
[program.x]
instances = 3
command = ["/bin/x"]
`
	p := loadText(t, memory{main, "FILE=%i%%\nB=file\n"}).Programs[1]
	if p.Name != "w:2" || !slices.Equal(p.Command, Command{"/bin/w2", "2%i2", "%", "-"}) || p.User.GID != 2 ||
		p.Directory != "/srv/2" ||
		!reflect.DeepEqual(p.Environment, Environment{"%i": "2", "B": "b", "FILE": "%i%%"}) || p.Output != "/log/2" ||
		p.Check.Command[1] != "2" || p.Gate[1] != "2" || p.OnChange[1] != "2" || !slices.Equal(p.After, []string{"x:2"}) {
		t.Errorf("got %+v, %+v, %+v, %+v", p, p.User, p.Settings, p.Check)
	}
	plain := loadText(t,
		memory{main: strings.ReplaceAll(strings.ReplaceAll(main, "after = [\"x:%i\"]", ""), "instances = 2", "")}).Programs[0]
	if plain.Name != "w" || !slices.Equal(plain.Command, Command{"/bin/w%i", "%i%%i%i", "%%", "-"}) ||
		plain.Output != "/log/%i" {
		t.Errorf("without instances: got %+v, %+v", plain, plain.Settings)
	}
}

// Instances run as the user of their section, and as nobody where that is unknown. promise S8
func TestInstancesRunAs(t *testing.T) {
	t.Parallel()
	c := loadText(t, memory{main: programs(2, func(i int) string {
		return "instances = 2\n" + [...]string{"user = \"4000000001:4000000002\"\n", "user = \"no-such-user\"\n"}[i]
	})})
	for i, p := range c.Programs {
		if u := p.User; u.Known() != (i < 2) || u.Known() && (u.UID != 4000000001 || u.GID != 4000000002) {
			t.Errorf("%s: %+v", p.Name, u)
		}
	}
}

// Instances share what has no number in it: a thousand cost what a thousand sections cost that are alike. // issue 8.7
func TestInstancesShare(t *testing.T) {
	t.Parallel()
	c := loadText(t, memory{"[program.w]\ninstances = 2\ncommand = [\"/bin/w\", \"%i\"]\n" +
		"environment_file = \"/more.env\"\nenvironment = { A = \"1\" }\noutput = \"syslog\"\n", "B=%i"})
	a, b := c.Programs[0], c.Programs[1]
	if a.Settings != b.Settings || reflect.ValueOf(a.Environment).Pointer() != reflect.ValueOf(b.Environment).Pointer() ||
		a.Environment["B"] != "%i" {
		t.Errorf("got %+v and %+v", a, b)
	}
	c = loadText(t,
		memory{main: "[program.w]\ninstances = 2\ncommand = [\"/bin/w\"]\noutput = \"/log/%i\"\n" +
			"check = { command = [\"/bin/c\"] }\n"})
	if a, b = c.Programs[0], c.Programs[1]; a.Settings == b.Settings || a.Check != b.Check ||
		&a.Command[0] != &b.Command[0] {
		t.Errorf("got %+v and %+v", a, b)
	}
}

// What a section costs grows with the number of its instances, and no faster. // issue 8.7
func TestInstancesLinear(t *testing.T) {
	cost := func(n int) float64 {
		m := memory{main: manyInstances(n)}
		return testing.AllocsPerRun(3, func() { loadText(t, m) })
	}
	if few, many := cost(100), cost(1000); many > 11*few {
		t.Errorf("%v allocations for 100, %v for 1000", few, many)
	}
}

// Who waits for a section waits for each of its instances, and a circle through some of them is one of sections.
// // issue 8.7
func TestInstancesInCircles(t *testing.T) {
	t.Parallel()
	for needs, want := range map[[2]string]string{
		{`"b"`, `"a"`}:       "a needs b needs a",
		{`"b:1"`, `"a:2"`}:   "a needs b needs a",
		{`"b:%i"`, `"a:%i"`}: "a needs b needs a",
		{`"b:1"`, `"c"`}:     "",
		{`"a"`, `"c"`}:       "the instances of a section cannot wait for each other",
		{`"a:1"`, `"c"`}:     "the instances of a section cannot wait for each other",
		{`"a:%i"`, `"c"`}:    "the instances of a section cannot wait for each other",
		{`"b:%i"`, `"c:%i"`}: `there is no program "c:2"; c has instances 1 to 1`,
	} {
		_, err := load("/main.toml",
			memory{main: fmt.Sprintf("[program.a]\ninstances = 2\ncommand = [\"/bin/true\"]\nafter = [%s]\n"+
				"[program.b]\ninstances = 2\ncommand = [\"/bin/true\"]\nrequires = [%s]\n[program.c]\ninstances = 1\n"+
				"command = [\"/bin/true\"]\n", needs[0], needs[1])})
		switch errs, _ := err.(Errors); {
		case want == "" && err != nil:
			t.Errorf("%q: %v", needs, err)
		case want != "" && (len(errs) != 1 || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: got %v, want %q", needs, err, want)
		}
	}
}

// What could not be stopped in time is not started. // issue 8.7, promise T1
func TestInstancesTimesInstances(t *testing.T) {
	t.Parallel()
	for needs, want := range map[string]string{
		`"b"`: "/main.toml:4:10: program.a.after: 1000 instances would wait for each of 101, " +
			"which takes long at each start and stop; \"b:%i\" has each wait for one of its number",
		`"c"`: "", `"c", "b:7", "d"`: "", `"e:%i"`: "",
	} {
		main := "[program.a]\ninstances = 1000\ncommand = [\"/bin/true\"]\nafter = [" + needs +
			"]\n[program.d]\ncommand = [\"/bin/true\"]\n"
		for name, n := range map[string]int{"b": 101, "c": 100, "e": 1000} {
			main += fmt.Sprintf("[program.%s]\ninstances = %d\ncommand = [\"/bin/true\"]\n", name, n)
		}
		_, err := load("/main.toml", memory{main: main})
		if err == nil && want != "" || err != nil && err.Error() != want {
			t.Errorf("%s: got %v, want %q", needs, err, want)
		}
	}
}

// What instances lack is one mistake, and each of them is looked for again. // issue 8.7, promise S8
func TestInstancesLack(t *testing.T) {
	t.Parallel()
	there := map[string]bool{}
	s := thereIs{memory{main: "[program.w]\ninstances = 1000\ncommand = [\"/bin/w%i\"]\n"}, there}
	c, err := load("/main.toml", s)
	if err != nil || len(c.Lacking) != 1 || len(c.Lacking[0].More) != 999 || c.Lacking[0].Program != "w:1" ||
		!strings.HasSuffix(c.Lacking.Error(),
			":3:12: program.w.command: /bin/w1: file does not exist; and so for 999 more of its instances") {
		t.Fatalf("got %v, %v", c, err)
	}
	for i := range 997 {
		there[fmt.Sprintf("/bin/w%d", i+1)] = true
	}
	still := c.Lacking.Still()
	if len(still) != 1 || still[0].Program != "w:998" || len(still[0].More) != 2 ||
		!strings.Contains(still.Error(), "/bin/w998: file does not exist; and so for 2 more") {
		t.Errorf("got %v", still)
	}
	there["/bin/w999"] = true
	if still = still.Still(); len(still) != 1 || still[0].Program != "w:998" || len(still[0].More) != 1 ||
		still[0].More[0].Program != "w:1000" {
		t.Errorf("got %v", still)
	}
	there["/bin/w998"], there["/bin/w1000"] = true, true
	if still = still.Still(); still != nil {
		t.Errorf("got %v", still)
	}
}

// thereIs is a memory that has the files of a set.
type thereIs struct {
	memory
	paths map[string]bool
}

func (s thereIs) stat(path string, _ bool) (fs.FileMode, error) {
	if s.paths[path] {
		return 0o755, nil
	}
	return 0, fs.ErrNotExist
}

// What one mark becomes is no part of another.
func TestMarksAreTakenFromTheLeft(t *testing.T) {
	for text, want := range map[string]string{"": "", "a": "a", "%i": "7", "%%": "%", "%%i": "%i", "%%%i": "%7",
		"%i%%":    "7%",
		"%i%%i%i": "7%i7", "%%%%i": "%%i", "%": "%", "%%%": "%%", "%x%i%": "%x7%"} {
		if got := marksFor("7").Replace(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

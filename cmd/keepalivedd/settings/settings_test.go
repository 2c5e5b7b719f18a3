package settings

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/config"
)

// loadText loads a configuration that has to be good.
func loadText(t testing.TB, m memory) *Config {
	t.Helper()
	c, err := load("/main.toml", m)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func programs(n int, settings func(i int) string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "[program.p%d]\ncommand = [\"/bin/true\"]\n%s", i, settings(i))
	}
	return b.String()
}

// A program that sets nothing costs the pointer to what all others have too, and so do those that set the same.
func TestSettingsShared(t *testing.T) {
	t.Parallel()
	c := loadText(t, memory{main: programs(6, func(i int) string {
		return [...]string{"", "output = \"syslog\"\n", "output = \"syslog\"\nnice = 1\n"}[i/2]
	})})
	p := c.Programs
	if p[0].Settings != p[1].Settings || p[2].Settings != p[3].Settings || p[4].Settings != p[5].Settings {
		t.Error("equal settings are not shared")
	}
	if p[0].Settings == p[2].Settings || p[0].Output != "log" || p[2].Output != "syslog" || *p[4].Nice != 1 ||
		p[2].Nice != nil {
		t.Errorf("got %+v, %+v, %+v", p[0].Settings, p[2].Settings, p[4].Settings)
	}
	if again := loadText(t,
		memory{main: programs(1, func(int) string { return "" })}); again.Programs[0].Settings != p[0].Settings {
		t.Error("a reload has defaults of its own")
	}
}

// What was set is told from what was not, zeros included.
func TestUnset(t *testing.T) {
	t.Parallel()
	c := loadText(t, memory{main: programs(2, func(i int) string {
		return [...]string{"",
			"umask = \"0\"\nnice = 0\noom_score_adj = 0\nlimits = { core = 0 }\nready = \"0s\"\n" +
				"check = { command = [\"/c\"] }\n"}[i]
	})})
	unset, zero := c.Programs[0], c.Programs[1]
	if _, ok := unset.Umask.Mask(); ok || unset.Nice != nil || unset.OOMScoreAdj != nil || unset.Limits != nil ||
		unset.Check != nil ||
		unset.GiveUp != nil || unset.Gate != nil || unset.OnChange != nil || unset.ReloadSignal != 0 ||
		unset.Ready != (Ready{}) || c.Startup != nil {
		t.Errorf("got %+v", unset.Settings)
	}
	if unset.RestartDelay != (RestartDelay{time.Second, time.Minute, time.Minute}) || unset.Type != Service ||
		unset.Restart != Always {
		t.Errorf("got %+v", unset.Settings)
	}
	mask, ok := zero.Umask.Mask()
	if !ok || mask != 0 || *zero.Nice != 0 || *zero.OOMScoreAdj != 0 || zero.Ready != (Ready{}) {
		t.Errorf("got %+v", zero.Settings)
	}
	if want := (Limits{{unix.RLIMIT_CORE, 0, 0}}); !reflect.DeepEqual(zero.Limits, want) {
		t.Errorf("got %v, want %v", zero.Limits, want)
	}
	if want := (Check{Command{"/c"}, 10 * time.Second, 5 * time.Second, 3, 0}); !reflect.DeepEqual(*zero.Check, want) {
		t.Errorf("got %+v, want %+v", *zero.Check, want)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	c := loadText(t, memory{main: programs(1, func(int) string {
		return "limits = { stack = \"8M:unlimited\", nofile = 1024, core = \"1K\", " +
			"as = \"unlimited\", cpu = \"1:2\", nproc = \"7:7\" }\n"
	})})
	want := Limits{
		{unix.RLIMIT_CPU, 1, 2}, {unix.RLIMIT_STACK, 8 << 20, unix.RLIM_INFINITY}, {unix.RLIMIT_CORE, 1024, 1024},
		{unix.RLIMIT_NPROC, 7, 7}, {unix.RLIMIT_NOFILE, 1024, 1024}, {unix.RLIMIT_AS, unix.RLIM_INFINITY, unix.RLIM_INFINITY},
	}
	if got := c.Programs[0].Limits; !reflect.DeepEqual(got, want) && runtime.GOARCH == "amd64" {
		t.Errorf("got %v, want %v", got, want)
	}
	seen := map[int]bool{}
	for name := range new(limits).all() {
		number, ok := resources[name]
		if !ok || seen[number] {
			t.Errorf("%s has no number of its own", name)
		}
		seen[number] = true
		if got := (Limit{Resource: number}).Name(); got != name {
			t.Errorf("%s: the name is %q", name, got)
		}
	}
	if len(seen) != len(resources) {
		t.Errorf("%d keys, %d numbers", len(seen), len(resources))
	}
}

// reading counts how often each file is read.
type reading struct {
	memory
	times map[string]int
}

func (r reading) Read(path string) ([]byte, config.ID, error) {
	r.times[path]++
	return r.memory.Read(path)
}

// One file is read once, and its variables are there once, whatever the number of programs that name it.
func TestEnvironmentFileOnce(t *testing.T) {
	t.Parallel()
	r := reading{memory{programs(3, func(i int) string {
		return [...]string{"", "", "environment = { A = \"own\" }\n"}[i] + "environment_file = \"/x/.././more.env\"\n"
	}), "A=1\nB=2"}, map[string]int{}}
	c, err := load("/main.toml", r)
	if err != nil {
		t.Fatal(err)
	}
	if r.times["/more.env"] != 1 {
		t.Errorf("read %d times", r.times["/more.env"])
	}
	p := c.Programs
	if reflect.ValueOf(p[0].Environment).Pointer() != reflect.ValueOf(p[1].Environment).Pointer() {
		t.Error("not shared")
	}
	if !reflect.DeepEqual(p[0].Environment, Environment{"A": "1", "B": "2"}) ||
		!reflect.DeepEqual(p[2].Environment, Environment{"A": "own", "B": "2"}) {
		t.Errorf("got %v, %v", p[0].Environment, p[2].Environment)
	}
}

// Mistakes in the file are told once; that it is not there, at each key.
func TestEnvironmentFileMistakes(t *testing.T) {
	t.Parallel()
	m := memory{programs(3, func(int) string { return "environment_file = \"/more.env\"\n" }), "A\n\nB"}
	_, err := load("/main.toml", m)
	if errs, ok := err.(Errors); !ok || len(errs) != 2 {
		t.Errorf("mistakes in it: got %v", err)
	}
	m.main = strings.ReplaceAll(m.main, "/more", "/none")
	if c := loadText(t, m); len(c.Lacking) != 3 {
		t.Errorf("not there: got %v", c.Lacking)
	}
}

// A circle of any length, and one that is entered from many sides, is told once and takes no time to speak of.
func TestCyclesAtScale(t *testing.T) {
	t.Parallel()
	const n = 5000
	for name, settings := range map[string]func(i int) string{
		"ring":  func(i int) string { return fmt.Sprintf("after = [\"p%d\"]\n", (i+1)%n) },
		"combs": func(i int) string { return fmt.Sprintf("after = [\"p%d\", \"p0\"]\n", (i+1)%n) },
	} {
		main := programs(n, func(i int) string {
			if i == 0 {
				return "requires = [\"p1\"]\n"
			}
			return settings(i)
		})
		main = strings.ReplaceAll(main, "\"p0\", \"p0\"", "\"p0\"")
		_, err := load("/main.toml", memory{main: main})
		errs, ok := err.(Errors)
		if !ok || len(errs) != 1 || !strings.Contains(err.Error(), "programs wait for each other: p0 needs p1 needs ") ||
			len(err.Error()) > 400 {
			t.Errorf("%s: got %.1000v", name, err)
		}
	}
	loadText(t, memory{main: programs(n, func(i int) string {
		if i == 1 {
			return "after = [\"p0\"]\n"
		}
		if i == 0 {
			return ""
		}
		return fmt.Sprintf("after = [\"p%d\", \"p0\"]\n", i-1)
	})})
}

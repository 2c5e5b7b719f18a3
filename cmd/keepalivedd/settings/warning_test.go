package settings_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
)

// promise T1: a program that has more time to end than all of them together is warned of
func TestWarningOfAStopThatIsCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.toml")
	const why = `program.a.stop_timeout: the daemon's own stop kills the program before that, after shutdown_timeout = "`
	const more = `"; make that longer`
	for keys, want := range map[string]string{
		``:                                     "",
		`stop_timeout = "5s"`:                  "",
		`stop_timeout = "6s"`:                  ":5:16: " + why + "5s" + more,
		"stop_timeout = \"1m\"\ninstances = 3": ":5:16: " + why + "5s" + more,
	} {
		text := "shutdown_timeout = \"5s\"\n[program.b]\ncommand = [\"/bin/true\"]\n[program.a]\n" + keys + "\n" +
			"command = [\"/bin/true\"]\n"
		warns(t, path, text, want)
	}
}

// promise G1, issue 7.B7: a delay that keeps nobody apart is warned of, at its place, and is no mistake
func TestWarnings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.toml")
	const least = `two machines may run it for a moment when the gate is lost; "`
	const why = `", gate_timeout and gate_renew and a second, is the least that keeps them apart`
	for keys, want := range map[string]string{
		``:                    "",
		`gate_delay = "1s"`:   "",
		`gate = ["/bin/cat"]`: ":3:8: program.a.gate: with gate_delay = \"0s\" " + least + "6s" + why,
		"gate = [\"/bin/cat\"]\ngate_timeout = \"1s\"\ngate_renew = \"3s\"\ngate_delay = \"4s\"": ":6:14: " +
			"program.a.gate_delay: with gate_delay = \"4s\" " + least + "5s" + why,
		"gate = [\"/bin/cat\"]\ngate_timeout = \"1s\"\ngate_renew = \"3s\"\ngate_delay = \"5s\"": "",
		"gate = [\"/bin/cat\"]\ngate_delay = \"6s\"":                                             "",
	} {
		warns(t, path, "[program.a]\ncommand = [\"/bin/true\"]\n"+keys, want)
	}
}

// warns fails the test unless a file with this text is taken, with this warning after its place, or with none.
func warns(t *testing.T, path, text, want string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := settings.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	if c.Warnings != nil {
		got = c.Warnings.Error()
	}
	if want != "" {
		want = path + want
	}
	if got != want {
		t.Errorf("%q: warned of %q, want %q", text, got, want)
	}
}

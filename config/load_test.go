package config

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// every is a struct with each type that a field may have.
type every struct {
	_ [0][]string `toml:"include,include"`

	Text    string            `toml:"text" default:"x"`
	Small   int8              `toml:"small" is:"-5..100"`
	Large   uint64            `toml:"large" default:"18446744073709551615"`
	Port    uint16            `toml:"port" is:"1..65535" default:"80"`
	Share   float64           `toml:"share" default:"0.5" is:"0..1"`
	Rate    float32           `toml:"rate"`
	Wait    time.Duration     `toml:"wait" is:"positive" default:"1s"`
	Since   *time.Duration    `toml:"since"`
	Maybe   *bool             `toml:"maybe"`
	Address netip.Addr        `toml:"address"`
	Waits   []time.Duration   `toml:"waits"`
	Shares  []float64         `toml:"shares" is:"0..9"`
	Ports   []uint16          `toml:"ports"`
	Hosts   []netip.Addr      `toml:"hosts"`
	Labels  map[string]string `toml:"labels"`
	Log     logTable          `toml:"log"`
	Audit   *logTable         `toml:"audit"`
	Rules   []rule            `toml:"rule"`
	Sites   []site            `toml:"site"`
	Upper   []upstream        `toml:"upstream"`

	Untagged int
}

type logTable struct {
	To string `toml:"to" default:"stderr" is:"stderr /"`
}

type rule struct {
	Allow bool `toml:"allow" is:"required"`
}

type site struct {
	Name string `toml:",key"`
	Root string `toml:"root" is:"required"`
	*Shared
}

// Shared is embedded by a pointer, which only an exported type can be.
type Shared struct {
	Index string `toml:"index" default:"index.html"`
}

type upstream struct {
	Name string   `toml:",key"`
	To   []string `toml:"to" is:"required"`
}

func (site) ValidateName(name string) error {
	if strings.Contains(name, " ") {
		return errors.New("must have no blanks")
	}
	return nil
}

func readDoc(doc string) (*every, Errors) {
	var v every
	d := Document{Files: oneFile(doc)}
	d.Read("/x", &v)
	return &v, d.Mistakes()
}

// issue 11.4: a struct of anybody's own is filled, whatever its fields are
func TestEveryType(t *testing.T) {
	t.Parallel()
	v, mistakes := readDoc("")
	if mistakes != nil || v.Text != "x" || v.Large != 1<<64-1 || v.Port != 80 || v.Share != 0.5 ||
		v.Wait != time.Second || v.Log.To != "stderr" || v.Audit != nil {
		t.Errorf("the defaults are %+v, %v", v, mistakes)
	}
	v, mistakes = readDoc(`
text = "t"
small = -5
large = 0x10
port = 8_080
share = 1
rate = 2.5e0
wait = "2m"
since = "3s"
maybe = false
address = "::1"
waits = ["1s", "2s"]
shares = [1, 2.5]
ports = [1, 2]
hosts = ["1.2.3.4"]
labels = { a = "b" }
audit.to = "/var/log/audit"
[log]
to = "/var/log/x"
[[rule]]
allow = true
[[rule]]
allow = false
[site.two]
root = "/2"
[site.one]
root = "/1"
index = "i"
[upstream.u]
to = ["a"]
`)
	since, maybe := 3*time.Second, false
	want := &every{
		Text: "t", Small: -5, Large: 16, Port: 8080, Share: 1, Rate: 2.5, Wait: 2 * time.Minute, Since: &since, Maybe: &maybe,
		Address: netip.MustParseAddr("::1"), Waits: []time.Duration{time.Second, 2 * time.Second}, Shares: []float64{1, 2.5},
		Ports: []uint16{1, 2}, Hosts: []netip.Addr{netip.MustParseAddr("1.2.3.4")}, Labels: map[string]string{"a": "b"},
		Log: logTable{"/var/log/x"}, Audit: &logTable{"/var/log/audit"}, Rules: []rule{{true}, {false}},
		Sites: []site{{"one", "/1", &Shared{"i"}}, {"two", "/2", &Shared{"index.html"}}},
		Upper: []upstream{{"u", []string{"a"}}},
	}
	if mistakes != nil || !reflect.DeepEqual(v, want) {
		t.Errorf("got  %+v, %v\nwant %+v", v, mistakes, want)
	}
}

// issue 11.4: each mistake has its place, and says what is to be done
func TestMistakes(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]string{
		"small = 101":          "1:9: small: must be from -5 to 100, not 101",
		"small = 200":          "1:9: small: 200 is too large",
		"large = -1":           "1:9: large: must not be negative, as -1 is",
		"port = 70000":         "1:8: port: 70000 is too large",
		"port = 0":             "1:8: port: must be from 1 to 65535, not 0",
		"share = 1.5":          "1:9: share: must be from 0 to 1, not 1.5",
		"share = nan":          "1:9: share: must be a number, not nan",
		"share = 'x'":          "1:9: share: must be a number without quotes, not a string",
		"share = 1e999":        "1:9: share: 1e999 is too large",
		"shares = [1, 10]":     "1:14: shares: must be from 0 to 9, not 10",
		"shares = 1":           "1:10: shares: must be a list of numbers, [1.5, 2], not a number",
		"ports = 1":            "1:9: ports: must be a list of whole numbers, [1, 2], not a number",
		"waits = '1s'":         `1:9: waits: must be a list of durations, ["1s", "10s"], not a string`,
		"wait = '0s'":          `1:8: wait: must be more than zero, such as "1s"`,
		"waits = ['0']":        "",
		"address = 'x'":        `1:11: address: ParseAddr("x"): unable to parse IP`,
		"address = 1":          "1:11: address: must be a string in quotes, not a number",
		"rule = 1":             "1:8: rule: must be a list of tables, [[rule]], not a number",
		"[rule]\nallow = true": "1:2: rule: must be a list of tables, [[rule]], not a table",
		"[[rule]]\n[[rule]]\nalow = true": "1:3: rule.allow: missing; add it to [rule]\n" +
			"3:1: rule.alow: unknown key; did you mean \"allow\"?",
		"[[site]]\nroot = ''":      "1:3: site: must be tables, [site.NAME], not a list of tables, [[site]]",
		"[site.'a b']\nroot = ''":  `1:7: site."a b": must have no blanks`,
		"[web]\nroot = '/'":        "1:2: web: unknown key; a site is [site.web]",
		"[web]\nto = ['x']":        "1:2: web: unknown key; an upstream is [upstream.web]",
		"root = '/'":               "1:1: root: belongs to a site: write it below its [site.NAME]",
		"[log]\nwait = '1s'":       "2:1: log.wait: belongs at the top, before the first [section]",
		"wait = 5":                 `1:8: wait: must be a duration with a unit; write "5s"`,
		"maybe = yes":              `1:9: not valid TOML: a string needs quotes; write maybe = "yes"`,
		"text = \u201cplain\u201d": `1:8: not valid TOML: a string needs plain quotes; write text = "plain"`,
		"text\u00a0= \"a\"":        `1:5: not valid TOML: there is an invisible U+00A0; write a blank`,
		"text =\u200b\"a\"":        `1:7: not valid TOML: there is an invisible U+200B; write a blank`,
		"text = plain":             `1:8: not valid TOML: a string needs quotes; write text = "plain"`,
		"{\"text\": 1}":            "1:1: this looks like JSON; it has to be TOML",
		"text: x":                  "1:1: this looks like YAML; it has to be TOML",
		"labels = { a = 1 }":       "1:16: labels.a: must be a string in quotes, not a number",
		"Untagged = 1":             "1:1: Untagged: unknown key",
		"include = ['none']": "1:12: include: cannot read /none: file does not exist; " +
			"create it, or write a pattern with *, which may match nothing",
		"text = 'a'\ntext = 'b'\n[log.to]": "2:1: text: defined twice, first at line 1; remove one\n" +
			"3:6: log.to: must be \"stderr\" or an absolute path, not a table",
	} {
		_, mistakes := readDoc(doc)
		got := strings.TrimPrefix(strings.ReplaceAll(mistakes.Error(), "\n/x:", "\n"), "/x:")
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", doc, got, want)
		}
	}
}

// issue 11.4: what is missing at the top has a place too
func TestRequiredAtTheTop(t *testing.T) {
	t.Parallel()
	var v struct {
		Files string `toml:"files" is:"required /"`
	}
	d := Document{Files: oneFile("\n")}
	d.Read("/x", &v)
	if got := d.Mistakes().Error(); got != "/x:1:1: files: missing; add it at the top" {
		t.Errorf("got %s", got)
	}
}

// issue 11.4: files of a directory bring named tables, each of which is in one of them
func TestInclude(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.toml": "text = 'main'\ninclude = ['conf.d/*.toml']\n[site.main]\nroot = '/'\n",
		"a.toml":    "[site.a]\nroot = '/a'\n[upstream.a]\nto = ['x']\n",
		"b.toml":    "[site.b]\nroot = '/b'\n",
		"b.toml~":   "nonsense",
		"worse":     "text = 'b'\nnope = 1\n[site.a]\nroot = '/again'\n",
	} {
		if name != "main.toml" {
			name = "conf.d/" + name
		}
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	main := filepath.Join(dir, "main.toml")
	var v every
	if err := Load(main, &v); err != nil || len(v.Sites) != 3 || len(v.Upper) != 1 || v.Sites[1].Root != "/b" {
		t.Fatalf("got %+v, %v", v, err)
	}
	if a, b := v.Sites[0].Shared, v.Sites[1].Shared; a != b {
		t.Error("what is alike is not shared")
	}
	if err := os.Rename(filepath.Join(dir, "conf.d/worse"), filepath.Join(dir, "conf.d/worse.toml")); err != nil {
		t.Fatal(err)
	}
	v = every{Text: "as it was"}
	err := Load(main, &v)
	want := strings.ReplaceAll(`DIR/conf.d/worse.toml:1:1: text: belongs in the main file, DIR/main.toml; `+
		`an included file may hold only [site.NAME] and [upstream.NAME] and include
DIR/conf.d/worse.toml:2:1: nope: unknown key
DIR/conf.d/worse.toml:3:7: site.a: defined twice, first at DIR/conf.d/a.toml:1; remove one`, "DIR", dir)
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if v.Text != "as it was" {
		t.Error("a file with mistakes has changed something")
	}
	if err := Load(filepath.Join(dir, "none"), &v); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// issue 11.4: what has changed can be named, and what of it a running daemon cannot take on
func TestDiffer(t *testing.T) {
	t.Parallel()
	type conf struct {
		Listen string    `toml:"listen" reload:"no"`
		Log    logTable  `toml:"log" reload:"no"`
		Audit  *logTable `toml:"audit" reload:"no"`
		Sites  []site    `toml:"site"`
		Other  int
	}
	a := conf{Listen: "a", Other: 1}
	if keys, fixed := Differ(&a, &conf{Listen: "a"}); keys != nil || fixed != nil {
		t.Errorf("got %q, %q", keys, fixed)
	}
	keys, fixed := Differ(&a, &conf{Log: logTable{"x"}, Audit: &logTable{}, Sites: []site{{Name: "x"}}})
	if !reflect.DeepEqual(keys, []string{"listen", "log.to", "audit", "site"}) ||
		!reflect.DeepEqual(fixed, []string{"listen", "audit"}) {
		t.Errorf("got %q, %q", keys, fixed)
	}
}

// issue 11.4: a struct that cannot be filled is its author's mistake, told at once
func TestImpossibleStructs(t *testing.T) {
	t.Parallel()
	for name, into := range map[string]any{
		"a channel": &struct {
			C chan int `toml:"c"`
		}{},
		"a list of lists": &struct {
			L [][]int `toml:"l"`
		}{},
		"far below": &struct {
			Sites []struct {
				C chan int `toml:"c"`
			} `toml:"site"`
		}{},
		"itself": &struct {
			T *containsItself `toml:"t"`
		}{},
		"an embedded pointer that cannot be set": &struct {
			*logTable
		}{},
		"an embedded pointer to itself": &struct {
			*EmbedsItself
		}{},
		"two keys of one name": &struct {
			A int `toml:"a"`
			B int `toml:"a"`
		}{},
		"a default that is none": &struct {
			N int `toml:"n" default:"many"`
		}{},
		"bounds that are none": &struct {
			N int `toml:"n" is:"a..b"`
		}{},
	} {
		func() {
			defer func() {
				if said, _ := recover().(string); !strings.HasPrefix(said, "config: ") {
					t.Errorf("%s: %q", name, said)
				}
			}()
			_ = Load("/none", into)
		}()
	}
}

type EmbedsItself struct {
	*EmbedsItself
}

type containsItself struct {
	T *containsItself `toml:"t"`
}

// issue 11.4: tables whose embedded keys are alike share one value, and nothing else
func TestShared(t *testing.T) {
	t.Parallel()
	v, mistakes := readDoc("[site.a]\nroot = 'a'\nindex = 'x'\n[site.b]\nindex = 'x'\nroot = 'b'\n" +
		"[site.c]\nroot = 'c'\nindex = 'y'\n[site.d]\nroot = 'd'\n")
	if mistakes != nil {
		t.Fatal(mistakes)
	}
	s := v.Sites
	if s[0].Shared != s[1].Shared || s[1].Shared == s[2].Shared || s[1].Index != "x" || s[2].Index != "y" ||
		s[3].Index != "index.html" {
		t.Errorf("got %+v", s)
	}
	if s[0].Root != "a" || s[1].Root != "b" || s[2].Root != "c" {
		t.Errorf("got %+v", s)
	}
}

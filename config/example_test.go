package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/keepalivedd/keepalivedd/config"
)

// settings are those of a program that mirrors directories.
type settings struct {
	_ [0][]string `toml:"include,include" doc:"more files, with mirrors"`

	Listen  string        `toml:"listen" default:":8080" reload:"no" doc:"address to serve"`
	Every   time.Duration `toml:"every" default:"1m" is:"positive" doc:"time between two looks"`
	Mirrors []mirror      `toml:"mirror" doc:"what is mirrored"`
}

type mirror struct {
	Name string `toml:",key"`
	From string `toml:"from" is:"required /" doc:"the directory that is read"`
	To   string `toml:"to" is:"required /" doc:"the directory that is written"`
	Keep int    `toml:"keep" default:"3" is:"1..100" doc:"how many old versions stay"`
}

// Validate is called by Load.
func (m *mirror) Validate(t *config.Table) {
	if t.Has("from") && t.Has("to") && m.From == m.To {
		t.Wrong("to", "must be another directory than from")
	}
}

// write makes a file for an example.
func write(text string) (path string) {
	dir, err := os.MkdirTemp("", "config")
	if err != nil {
		panic(err)
	}
	path = filepath.Join(dir, "mirror.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		panic(err)
	}
	return path
}

// Every mistake is told, with its place, and what was probably meant.
func ExampleLoad() {
	path := write(`evry = "1h"
[mirror.www]
from = "/srv/www"
to = "/srv/www"
keep = 0
[mirror.mail]
from = "/var/mail"
`)
	defer os.RemoveAll(filepath.Dir(path))
	var s settings
	err := config.Load(path, &s)
	for _, mistake := range err.(config.Errors) {
		fmt.Printf("%d:%d: %s: %v\n%s", mistake.Line, mistake.Column, mistake.Key, mistake.Err, mistake.Picture(80))
	}
	// Output:
	// 1:1: evry: unknown key; did you mean "every"?
	//     evry = "1h"
	//     ^
	// 4:6: mirror.www.to: must be another directory than from
	//     to = "/srv/www"
	//          ^
	// 5:8: mirror.www.keep: must be from 1 to 100, not 0
	//     keep = 0
	//            ^
	// 6:9: mirror.mail.to: missing; add it to [mirror.mail]
	//     [mirror.mail]
	//             ^
}

// A reload takes on what can change, and refuses the rest by name.
func ExampleDiffer() {
	now, next := settings{Listen: ":80", Every: time.Minute}, settings{Listen: ":81", Every: time.Hour}
	keys, fixed := config.Differ(&now, &next)
	fmt.Println(keys)
	fmt.Println(fixed)
	// Output:
	// [listen every]
	// [listen]
}

// What a manual says of each key.
func ExampleKeys() {
	for _, k := range config.Keys(new(settings)) {
		if k.Section == "mirror.NAME" {
			fmt.Printf("%-4s | %-26s | %s\n", k.Name, k.Type, k.Doc)
		}
	}
	// Output:
	// from | an absolute path           | the directory that is read
	// to   | an absolute path           | the directory that is written
	// keep | whole number, from 1 to 100 | how many old versions stay
}

// What was understood, with all defaults.
func ExampleDump() {
	path := write("mirror.www = { from = '/srv/www', to = '/backup/www' }\n")
	defer os.RemoveAll(filepath.Dir(path))
	var s settings
	if err := config.Load(path, &s); err != nil {
		fmt.Println(err)
	}
	if err := config.Dump(os.Stdout, &s); err != nil {
		fmt.Println(err)
	}
	// Output:
	// listen = ":8080"
	// every = "1m"
	//
	// [mirror.www]
	// from = "/srv/www"
	// to = "/backup/www"
	// keep = 3
}

package settings_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
)

// Every mistake is told, with its place.
func ExampleLoad() {
	dir, err := os.MkdirTemp("", "config")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "keepalivedd.toml")
	text := "[program.web]\ncomand = [\"/bin/true\"]\nstop_timeout = \"soon\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	_, err = settings.Load(path)
	for _, mistake := range err.(settings.Errors) {
		fmt.Printf("%d:%d: %v\n", mistake.Line, mistake.Column, mistake.Err)
	}
	// Output:
	// 2:1: unknown key; did you mean "command"?
	// 3:16: "soon" is not a duration; write a number and a unit, such as "500ms", "10s" or "1m30s"
}

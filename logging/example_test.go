package logging_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/keepalivedd/keepalivedd/logging"
)

// A log in a file, which is rotated.
func Example() {
	dir, err := os.MkdirTemp("", "logging")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "log")
	log, err := logging.Open(logging.Options{To: path})
	if err != nil {
		fmt.Println(err)
		return
	}
	log.Logger().Info("before", "n", 1)
	os.Rename(path, path+".1")
	fmt.Println("reopened:", log.Reopen())
	log.Logger().Warn("after")
	fmt.Println("closed:", log.Close())
	for _, name := range []string{path + ".1", path} {
		b, _ := os.ReadFile(name)
		fmt.Printf("%s: %d line\n", filepath.Base(name), bytes.Count(b, []byte("\n")))
	}
	// Output:
	// reopened: <nil>
	// closed: <nil>
	// log.1: 1 line
	// log: 1 line
}

// A log of JSON objects, for programs that read it.
func Example_json() {
	dir, err := os.MkdirTemp("", "logging")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "log")
	logger, log, err := logging.Options{To: path, JSON: true}.Logger()
	if err != nil {
		fmt.Println(err)
		return
	}
	logger.With("job", "backup").WithGroup("disk").Warn("nearly full", "free", 12)
	log.Close()
	line, _ := os.ReadFile(path)
	_, rest, _ := bytes.Cut(line, []byte(`,`)) // without the time
	fmt.Printf("%s", rest)
	// Output: "level":"WARN","msg":"nearly full","job":"backup","disk":{"free":12}}
}

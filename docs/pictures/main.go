// Pictures draws the pictures of the documentation, docs/states.svg and docs/flows.svg. With -check it only tells
// whether that has to be done: its exit status is 1 then.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() { os.Exit(run()) }

func run() int {
	dir := flag.String("dir", "docs", "where the pictures are")
	check := flag.Bool("check", false, "change nothing, and fail if they are not up to date")
	flag.Parse()
	if err := draw(*dir, *check); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		return 1
	}
	return 0
}

func draw(dir string, check bool) error {
	var errs []error
	for name, p := range map[string]*picture{"states.svg": states(), "flows.svg": flows()} {
		file := filepath.Join(dir, name)
		if !check {
			errs = append(errs, os.WriteFile(file, []byte(p.String()), 0o644))
			continue
		}
		old, err := os.ReadFile(file)
		if err == nil && string(old) != p.String() {
			err = errors.New(file + " is not up to date: go run ./docs/pictures")
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

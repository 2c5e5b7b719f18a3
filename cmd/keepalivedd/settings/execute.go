package settings

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/keepalivedd/keepalivedd/config"
)

// What execve(2) would make of a command is here. A handler of binfmt_misc may take whatever the kernel itself does
// not: so what it would refuse is an error only where no handler can be expected.

// begins is how a file begins, as far as the kernel looks.
func (disk) begins(path string) []byte {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil // who may execute it need not have a right to read it
	}
	defer unix.Close(fd)
	head := make([]byte, 256)
	n, _ := unix.Pread(fd, head, 0)
	return head[:max(0, n)]
}

// content is what is to be known of an executable.
type content struct {
	interpreter string // "": none
	unlikely    error  // why the kernel would not execute it
}

// contents looks into the executable of a command, which is there: once into each, and warns once at each place.
func (k *looker) contents(program string, u *User, n *config.Value, path string) {
	is, known := k.insides[path]
	if !known {
		head := k.files.begins(path)
		is = content{interpreter(head), unlikely(head, k.files.begins("/proc/self/exe"))}
		k.insides[path] = is
	}
	if by := is.interpreter; by != "" {
		switch err := k.see(sight{anExecutable, by}); {
		case err != nil && strings.HasSuffix(by, "\r"):
			k.lack(program, n, fmt.Errorf("%s: its first line ends with a carriage return, which makes %q of its interpreter",
				path, by), nil)
		case err != nil:
			k.lack(program, n, fmt.Errorf("%s: its interpreter %w", path, err), nil)
		default:
			k.lackLet(program, u, n, by)
		}
	}
	if is.unlikely != nil && !k.warned[n] {
		k.warned[n] = true
		k.Warnings = append(k.Warnings, n.Mistake(fmt.Errorf("%s: %w", path, is.unlikely)))
	}
}

// interpreter is that of a script; "": it has none, or one that the kernel looks for in the program's directory.
func interpreter(head []byte) string {
	line, is := bytes.CutPrefix(head, []byte("#!"))
	line = bytes.TrimLeft(line, " \t")
	end := bytes.IndexAny(line, " \t\n\x00")
	if !is || end < 0 || !filepath.IsAbs(string(line[:end])) {
		return ""
	}
	by := string(line[:end])
	if strings.ContainsFunc(strings.TrimSuffix(by, "\r"), func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "" // it is for nobody's terminal
	}
	return by
}

// unlikely says why a file would not be executed by this kernel; ours is how a program begins that is.
func unlikely(head, ours []byte) error {
	elf := []byte("\x7fELF")
	switch {
	case len(head) == 0, bytes.HasPrefix(head, []byte("#!")): // or nobody knows
	case bytes.HasPrefix(head, elf) && len(head) < 20:
		return errors.New("it is cut short")
	case bytes.HasPrefix(head, elf) && bytes.HasPrefix(ours, elf):
		a, b := machine(head), machine(ours)
		if a != b && !slices.Contains(akin, [2]uint16{min(a, b), max(a, b)}) {
			return errors.New("it is for another kind of processor, and runs with an emulator only")
		}
	case !bytes.HasPrefix(head, elf) && bytes.IndexByte(head, 0) < 0:
		return errors.New("it is text, and does not begin with #!, as a script does: #!/bin/sh, say")
	}
	return nil
}

// akin are the machines of elf(5) of which one may execute what is for the other: 386 and x86-64, arm and aarch64, ppc
// and ppc64, and those of SPARC.
var akin = [][2]uint16{{3, 62}, {40, 183}, {20, 21}, {2, 18}, {2, 43}, {18, 43}}

// machine is e_machine.
func machine(head []byte) uint16 {
	if head[5] == 2 { // EI_DATA
		return binary.BigEndian.Uint16(head[18:])
	}
	return binary.LittleEndian.Uint16(head[18:])
}

// longestString is what execve(2) takes of an argument or a variable, with the NUL behind it: MAX_ARG_STRLEN.
func longestString() int { return 32 * os.Getpagesize() }

// mostStrings is what it takes of all, whatever the limits are.
const mostStrings = 6 << 20

// fits refuses arguments and variables that cannot be passed on.
func (p *Program) fits(t *config.Table) {
	sum, long := 0, ""
	for _, word := range p.Command {
		sum += len(word) + 1
	}
	for name, value := range p.Environment {
		n := len(name) + len(value) + 2
		if sum += n; n > longestString() && (long == "" || name < long) {
			long = name
		}
	}
	switch {
	case long != "":
		key := "environment"
		if t.At(key).At(long) == nil {
			key = "environment_file"
		}
		t.Wrong(key, "%s has %d bytes, and a variable may have %d; have the program read it from a file", long,
			len(p.Environment[long]), longestString()-len(long)-2)
	case sum > mostStrings:
		t.Wrong("command", "with the environment it has %d bytes, and may have %d; have the program read a file", sum,
			mostStrings)
	}
}

// long refuses an argument that cannot be passed on.
func (c Command) long() error {
	i := slices.IndexFunc(c, func(word string) bool { return len(word) >= longestString() })
	if i < 0 {
		return nil
	}
	return fmt.Errorf("%.20q… has %d bytes, and an argument may have %d; have the program read it from a file",
		strings.ToValidUTF8(c[i], ""), len(c[i]), longestString()-1)
}

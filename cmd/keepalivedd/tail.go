package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// tails print the files that programs write to. They are followed by inotify, through being truncated, and through
// being renamed with another made in their place.
type tails struct {
	view   *logView
	follow bool
	lines  int // of each, at first
	failed bool
	broken func(error) // called when nothing can be printed any more

	mu     sync.Mutex
	files  map[string]*tail // by program
	notify *os.File         // nil: nothing is followed
	ended  chan struct{}
}

func newTails(v *logView, follow bool, lines int, broken func(error)) *tails {
	return &tails{view: v, follow: follow, lines: lines, broken: broken, files: map[string]*tail{}}
}

// tail is the file of one program.
type tail struct {
	program, path string
	now           *part // nil: it is not there
	before        *part // what it was until it was renamed: whoever has it open may go on
}

// part is a file that is read, as far as it is there.
type part struct {
	file   *os.File
	offset int64
	rest   []byte // of a line that has not ended
}

// longestTail bounds what is kept of a line that does not end.
const longestTail = 64 << 10

// take goes on with the files that these programs write to.
func (t *tails) take(programs []logSource) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	named := map[string]string{}
	for _, p := range programs {
		if p.File != "" && !isDevice(p.File) {
			named[p.Name] = p.File
		}
	}
	for program, f := range t.files {
		if named[program] != f.path {
			f.close()
			delete(t.files, program)
		}
	}
	for _, p := range programs {
		if named[p.Name] == "" || t.files[p.Name] != nil {
			continue
		}
		f := &tail{program: p.Name, path: p.File}
		t.files[p.Name] = f
		if err := t.begin(f); err != nil {
			return err
		}
	}
	return nil
}

// isDevice tells what keeps nothing that could be read: /dev/null, or a console.
func isDevice(path string) bool {
	st, err := os.Lstat(path)
	return err == nil && st.Mode()&fs.ModeDevice != 0
}

func (t *tails) begin(f *tail) error {
	if t.follow && t.notify == nil {
		t.watch()
	}
	if t.notify != nil {
		t.add(filepath.Dir(f.path), unix.IN_CREATE|unix.IN_MOVED_TO)
	}
	var err error
	if f.now, err = t.open(f.path); err != nil && !(t.follow && errors.Is(err, fs.ErrNotExist)) {
		t.failed = true
		fail(fmt.Errorf("program %s: its output is in a file: %w", f.program, err))
	}
	if f.now == nil {
		return nil
	}
	if err := f.now.skip(t.lines); err != nil {
		return err
	}
	if err := t.read(f, f.now); err != nil || t.follow {
		return err
	}
	return t.flush(f, f.now)
}

// open opens a regular file, and no link: as root one is not to be led elsewhere.
func (t *tails) open(path string) (*part, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	st, err := file.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s: it is not a regular file", path)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	if t.notify != nil {
		t.add(fmt.Sprintf("/proc/self/fd/%d", file.Fd()), unix.IN_MODIFY)
	}
	return &part{file: file}, nil
}

// skip goes to the last lines.
func (p *part) skip(lines int) error {
	if lines == math.MaxInt {
		return nil
	}
	end, err := p.file.Seek(0, io.SeekEnd)
	if p.offset = end; err != nil || lines == 0 {
		return err
	}
	const step = 64 << 10
	buf := make([]byte, step)
	at, last := end, true
	for at > 0 {
		n := int(min(at, step))
		at -= int64(n)
		if _, err := p.file.ReadAt(buf[:n], at); err != nil && err != io.EOF {
			return err
		}
		for i := n - 1; i >= 0; i-- {
			if buf[i] == '\n' && !last {
				if lines--; lines == 0 {
					p.offset = at + int64(i) + 1
					return nil
				}
			}
			last = false
		}
	}
	p.offset = 0
	return nil
}

// read prints what is there of lines that have ended.
func (t *tails) read(f *tail, p *part) error {
	if st, err := p.file.Stat(); err == nil && st.Size() < p.offset {
		p.offset, p.rest = 0, nil // it was truncated
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := p.file.ReadAt(buf, p.offset)
		p.offset += int64(n)
		text := append(p.rest, buf[:n]...)
		for {
			line, rest, ended := bytes.Cut(text, []byte{'\n'})
			if !ended && len(text) < longestTail {
				break
			}
			if err := t.view.line(&logLine{Program: f.program, Text: string(line)}, nil); err != nil {
				return err
			}
			text = rest
		}
		p.rest = append([]byte(nil), text...)
		if err != nil || n == 0 {
			return nil // the end, or a disk that is to be mended first
		}
	}
}

// flush prints a last line that has not ended.
func (t *tails) flush(f *tail, p *part) error {
	if len(p.rest) == 0 {
		return nil
	}
	line := string(p.rest)
	p.rest = nil
	return t.view.line(&logLine{Program: f.program, Text: line}, nil)
}

// look reads on, what was renamed first.
func (t *tails) look(f *tail) error {
	for _, p := range []*part{f.before, f.now} {
		if p != nil {
			if err := t.read(f, p); err != nil {
				return err
			}
		}
	}
	if f.now.is(f.path) {
		return nil
	}
	next, err := t.open(f.path)
	if err != nil {
		return nil // it is about to be made
	}
	if f.before != nil {
		t.flush(f, f.before)
		f.before.file.Close()
	}
	f.before, f.now = f.now, next
	return t.read(f, next)
}

// is tells whether that is what the path names.
func (p *part) is(path string) bool {
	if p == nil {
		return false
	}
	named, err := os.Lstat(path)
	if err != nil {
		return false
	}
	open, err := p.file.Stat()
	return err == nil && os.SameFile(named, open)
}

func (f *tail) close() {
	for _, p := range []*part{f.before, f.now} {
		if p != nil {
			p.file.Close()
		}
	}
}

// watch begins to follow.
func (t *tails) watch() {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.failed = true
		fail(fmt.Errorf("files of programs cannot be followed: inotify: %w", err))
		return
	}
	t.notify, t.ended = os.NewFile(uintptr(fd), "inotify"), make(chan struct{})
	go t.run(t.notify)
}

func (t *tails) add(path string, events uint32) {
	raw, err := t.notify.SyscallConn()
	if err == nil {
		raw.Control(func(fd uintptr) { _, err = unix.InotifyAddWatch(int(fd), path, events) })
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.failed = true
		fail(fmt.Errorf("%s cannot be followed: %w", path, err))
	}
}

func (t *tails) run(notify *os.File) {
	defer close(t.ended)
	buf := make([]byte, 16<<10)
	for {
		if _, err := notify.Read(buf); err != nil {
			return
		}
		if err := t.lookAll(); err != nil {
			t.broken(err)
			return
		}
		time.Sleep(10 * time.Millisecond) // what comes meanwhile is one event
	}
}

func (t *tails) lookAll() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.files {
		if err := t.look(f); err != nil {
			return err
		}
	}
	return nil
}

// end prints what there is yet.
func (t *tails) end() {
	if t.notify == nil {
		return
	}
	t.notify.Close()
	<-t.ended
	t.lookAll()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.files {
		for _, p := range []*part{f.before, f.now} {
			if p != nil {
				t.flush(f, p)
			}
		}
	}
}

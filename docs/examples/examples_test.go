// Package examples_test checks the examples of docs/examples.md.
package examples_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
)

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestExamples(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.toml")
	if err != nil || len(files) != 10 {
		t.Fatalf("the examples: %v %v", files, err)
	}
	asMe := regexp.MustCompile(`(?m)^user = ".*"`)
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			text := read(t, file)
			page := "../" + strings.TrimSuffix(file, ".toml") + ".md"
			if !strings.HasPrefix(file, "from-") {
				page = "../examples.md"
			}
			if !strings.Contains(read(t, page), "\n```toml\n"+text+"```\n") {
				t.Errorf("%s does not have it as it is", page)
			}
			// Its users need not exist here; a configuration's have to.
			here := filepath.Join(t.TempDir(), file)
			text = asMe.ReplaceAllString(text, `user = "`+me.Uid+":"+me.Gid+`"`)
			if err := os.WriteFile(here, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			c, err := settings.Load(here)
			if err != nil {
				t.Fatal(err)
			}
			if len(c.Programs) == 0 {
				t.Error("it has no program")
			}
			for _, p := range c.Programs {
				if p.StopTimeout > c.ShutdownTimeout {
					t.Errorf("%s may take longer to stop than everything together", p.Name)
				}
			}
		})
	}
}

// The other TOML in the page is a line of a program.
func TestLines(t *testing.T) {
	block := regexp.MustCompile("(?s)```toml\n *((gate|command) = .*?)```")
	blocks := block.FindAllStringSubmatch(read(t, "../examples.md"), -1)
	if len(blocks) != 2 {
		t.Errorf("found %d, want 2", len(blocks))
	}
	for _, block := range blocks {
		text := "[program.x]\n" + block[1]
		if block[2] != "command" {
			text += "command = [\"/bin/true\"]\n"
		}
		file := filepath.Join(t.TempDir(), "line.toml")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := settings.Load(file); err != nil {
			t.Error(err)
		}
	}
}

// The program that ready-when becomes is the one that was started, and descriptor 3 has its newline once the check
// succeeds, and not before.
func TestReadyWhen(t *testing.T) {
	t.Parallel()
	there := filepath.Join(t.TempDir(), "there")
	c := exec.Command("./ready-when", `test -e "`+there+`"`, "/bin/sh", "-c", `echo $$; exec sleep 1000`)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c.ExtraFiles = []*os.File{w}
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if w.Close(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer c.Process.Kill()
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != strconv.Itoa(c.Process.Pid)+"\n" {
		t.Errorf("it became process %q, and %d was started", line, c.Process.Pid)
	}
	conn, err := r.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	conn.Read(func(fd uintptr) bool { // what is there by now was said without looking
		if n, _ := syscall.Read(int(fd), make([]byte, 1)); n > 0 {
			t.Error("it is ready before there is what the check wants")
		}
		return true
	})
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := io.ReadAll(r); err != nil || string(said) != "\n" { // until nobody has the descriptor
		t.Errorf("it said %q, %v", said, err)
	}
}

// forking is a program that leaves a process in a session of its own behind, which says what signal has ended it.
const forking = `#!/bin/sh
setsid -f sh -c '
	for signal in TERM INT; do trap "echo $signal >\"$0.end\"; exit" $signal; done
	echo $$ >"$0.new"; mv "$0.new" "$0"
	while :; do sleep 0.05; done' "$1"
`

func waitForFork(t *testing.T) (wrapper *exec.Cmd, pidfile string, forked int) {
	t.Helper()
	for _, tool := range []string{"setsid", "sleep"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	pidfile = filepath.Join(dir, "pid")
	if err := os.WriteFile(program, []byte(forking), 0o755); err != nil {
		t.Fatal(err)
	}
	wrapper = exec.Command("./wait-for-fork", pidfile, "/bin/sh", program, pidfile)
	if err := wrapper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { wrapper.Process.Kill() })
	for end := time.Now().Add(time.Minute); forked == 0; time.Sleep(time.Millisecond) {
		b, _ := os.ReadFile(pidfile)
		forked, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		if time.Now().After(end) {
			t.Fatal("the program has not forked")
		}
	}
	t.Cleanup(func() { syscall.Kill(forked, syscall.SIGKILL) })
	return wrapper, pidfile, forked
}

func TestWaitForForkPassesOn(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			passesOn(t, name, signal)
		})
	}
}

func passesOn(t *testing.T, name string, signal syscall.Signal) {
	wrapper, pidfile, forked := waitForFork(t)
	wrapper.Process.Signal(signal)
	wrapper.Wait()
	for end := time.Now().Add(time.Minute); syscall.Kill(forked, 0) == nil; time.Sleep(time.Millisecond) {
		if b, _ := os.ReadFile("/proc/" + strconv.Itoa(forked) + "/stat"); strings.Contains(string(b), ") Z ") {
			break // whoever has inherited it takes its time
		}
		if time.Now().After(end) {
			t.Fatal("what the program left behind has outlived the stop")
		}
	}
	if got := read(t, pidfile+".end"); got != name+"\n" {
		t.Errorf("%s was passed on as %s", name, got)
	}
}

func TestWaitForForkFailsWithTheProgram(t *testing.T) {
	t.Parallel()
	wrapper, _, forked := waitForFork(t)
	syscall.Kill(forked, syscall.SIGKILL)
	if err := wrapper.Wait(); err == nil {
		t.Error("the program has died, and the status is 0")
	}
}

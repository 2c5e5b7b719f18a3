package settings

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// promise S9: what is there, and may be nothing for whom the program runs as, is found by looking: the file itself, or
// a directory on the way, also where a symbolic link leads
func TestRightsOfTheUser(t *testing.T) {
	t.Parallel()
	const who = 65533
	for path := os.TempDir(); path != "/" && path != "."; path = filepath.Dir(path) {
		if st, err := os.Stat(path); err != nil || st.Mode()&0o001 == 0 {
			t.Skipf("others may not enter %s, where this test has its files", path)
		}
	}
	dir := t.TempDir()
	file := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		var err error
		if strings.Contains(name, ".") {
			err = os.WriteFile(path, nil, mode)
		} else {
			err = os.Mkdir(path, mode)
		}
		if err == nil {
			err = os.Chmod(path, mode)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	open := file("open", 0o711)
	closed := file("closed", 0o755)
	of := file("open/of.all", 0o755)
	none := file("open/of.owner", 0o744)
	group := file("open/of.group", 0o710)
	behind := file("closed/of.all", 0o755)
	link := filepath.Join(open, "link")
	if err := os.Symlink(behind, link); err != nil {
		t.Fatal(err)
	}
	for path := dir; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		os.Chmod(path, 0o711)
	}
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	gid := os.Getegid()
	check := func(user, key, value, want string) {
		t.Helper()
		text := fmt.Sprintf("[program.a]\nuser = %q\n", user)
		if key != "command" {
			text += "command = [\"/bin/true\"]\n"
		}
		file := filepath.Join(dir, "conf.toml")
		if err := os.WriteFile(file, []byte(text+key+" = "+value+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		got, again := "", ""
		for _, e := range c.Lacking {
			if e.Key != "program.a.user" { // which only root may have
				got += e.Err.Error()
				if err := e.again(); err != nil {
					again += err.Error()
				}
			}
		}
		if got != want || again != want {
			t.Errorf("%s, %s = %s: got %q, and again %q; want %q", user, key, value, got, again, want)
		}
	}
	stranger := fmt.Sprintf("%d:%d", who, who)
	no := func(path string) string { return fmt.Sprintf("user %d has no right (x) to %s", who, path) }
	list := func(path string) string { return fmt.Sprintf("[%q]", path) }
	check(stranger, "command", list(of), "")
	check(stranger, "command", list(none), no(none))
	check(stranger, "command", list(group), no(group))
	check(fmt.Sprintf("%d:%d", who, gid), "command", list(group), "")
	check(fmt.Sprintf("%d:%d", os.Geteuid(), gid), "command", list(behind), "")
	check(stranger, "command", list(behind), no(closed))
	check(stranger, "command", list(link), no(closed))
	check(stranger, "directory", fmt.Sprintf("%q", open), "")
	check(stranger, "directory", fmt.Sprintf("%q", closed), no(closed))
	check(stranger, "check.command", list(link), no(closed))
	check(stranger, "gate", list(behind), no(closed))
	check(stranger, "on_change", list(none), no(none))

	// What a list says of the user is not read, and so nothing is said.
	if err := unix.Setxattr(closed, "system.posix_acl_access", listWith(who), 0); err != nil {
		t.Logf("no access control lists here: %v", err)
		return
	}
	check(stranger, "command", list(behind), "")
}

// listWith is an access control list that gives uid the right to enter.
func listWith(uid uint32) []byte {
	const owner, user, group, mask, other, nobody = 0x01, 0x02, 0x04, 0x10, 0x20, ^uint32(0)
	b := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range []struct {
		tag, rights uint16
		of          uint32
	}{{owner, 7, nobody}, {user, 1, uid}, {group, 0, nobody}, {mask, 1, nobody}, {other, 0, nobody}} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.rights)
		b = binary.LittleEndian.AppendUint32(b, e.of)
	}
	return b
}

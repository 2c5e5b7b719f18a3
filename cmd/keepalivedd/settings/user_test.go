package settings_test

import (
	"fmt"
	"os/user"
	"path/filepath"
	"slices"
	"testing"

	"github.com/keepalivedd/keepalivedd/cmd/keepalivedd/settings"
)

func userOf(t *testing.T, specs ...string) []*settings.User {
	t.Helper()
	var content string
	for i, spec := range specs {
		content += program(fmt.Sprintf("p%d", i)) + fmt.Sprintf("user = %q\n", spec)
	}
	c, err := settings.Load(write(t, filepath.Join(t.TempDir(), "main.toml"), content))
	if err != nil {
		t.Fatal(err)
	}
	var users []*settings.User
	for _, p := range c.Programs {
		users = append(users, p.User)
	}
	return users
}

// The user that runs the test is the same by name and by number, and has the groups that the system says.
func TestUser(t *testing.T) {
	t.Parallel()
	me, err := user.Current()
	if err != nil {
		t.Skip(err)
	}
	if _, err := user.Lookup(me.Username); err != nil {
		t.Skip("we are not in the database")
	}
	ids, err := me.GroupIds()
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range userOf(t, me.Username, me.Uid) {
		if u.Name != me.Username || fmt.Sprint(u.UID) != me.Uid || fmt.Sprint(u.GID) != me.Gid || u.Home != me.HomeDir {
			t.Errorf("got %+v, want %+v", u, me)
		}
		if u.Shell == "" || u.Shell[0] != '/' {
			t.Errorf("shell %q", u.Shell)
		}
		if !slices.IsSorted(u.Groups) || !slices.Contains(u.Groups, u.GID) || len(u.Groups) > len(ids) {
			t.Errorf("groups %v, the system says %v", u.Groups, ids)
		}
	}
}

func TestUserGroup(t *testing.T) {
	t.Parallel()
	for _, u := range userOf(t, "root:4000000000", "4000000001:root", "4000000001:0") {
		switch {
		case u.UID == 0:
			if u.Name != "root" || u.GID != 4000000000 || !slices.Contains(u.Groups, u.GID) || slices.Contains(u.Groups, 0) {
				t.Errorf("got %+v", u)
			}
		case u.UID != 4000000001 || u.GID != 0 || u.Name != "4000000001" || u.Home != "/" || u.Shell != "/bin/sh" ||
			!slices.Equal(u.Groups, []uint32{0}):
			t.Errorf("got %+v", u)
		}
	}
}

// Programs of the same user cost one look-up and one value.
func TestUserShared(t *testing.T) {
	t.Parallel()
	users := userOf(t, "root", "root")
	if users[0] != users[1] {
		t.Error("two values for one user")
	}
}

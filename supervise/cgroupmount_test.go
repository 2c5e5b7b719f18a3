package supervise

import "testing"

// issue 12.1: the hierarchy that is found without the list of all mounts is the one that the list has.
func TestCgroupRootIsWhereTheListOfMountsHasIt(t *testing.T) {
	mount, root, err := listedCgroupMount()
	if err != nil {
		t.Skip("no hierarchy of cgroups here: ", err)
	}
	at, of, err := cgroupMount()
	if at != mount || of != root || err != nil {
		t.Errorf("%s of %s, %v; the list says %s of %s", of, at, err, root, mount)
	}
	if isCgroupRoot(t.TempDir()) {
		t.Error("a directory is taken for a hierarchy")
	}
}

// promise G1: the guard of a gate ends the program's cgroup, whatever of ours that is below
func TestProgramGroup(t *testing.T) {
	const outer = "/sys/fs/cgroup/keepalivedd-1/x.group/again.0"
	for dir, want := range map[string]string{
		"":                                       "",
		outer:                                    "/sys/fs/cgroup/keepalivedd-1/x.group",
		outer + "/keepalivedd-2/a.group":         outer + "/keepalivedd-2/a.group",
		outer + "/keepalivedd-2/a.group/again.3": outer + "/keepalivedd-2/a.group",
	} {
		if got := programGroup(dir); got != want {
			t.Errorf("of %s: %s, want %s", dir, got, want)
		}
	}
}

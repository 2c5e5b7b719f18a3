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

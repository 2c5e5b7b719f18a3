//go:build unix && !linux

package linux

var _ = keepalivedd_and_its_packages_supervise_run_on_Linux_only__try_GOOS_linux

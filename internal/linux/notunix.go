//go:build !unix

package linux

var _ = keepalivedd_and_its_packages_run_on_Linux__and_are_built_on_any_Unix__try_GOOS_linux

//go:build !linux

// Package wait looks at the ends of processes, on Linux only.
package wait

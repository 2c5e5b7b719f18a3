//go:build !linux

// Package address has the addresses on which programs listen, on Linux.
package address

import _ "github.com/keepalivedd/keepalivedd/internal/linux" // says so

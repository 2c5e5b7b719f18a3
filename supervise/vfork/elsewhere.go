//go:build !linux

// Package vfork makes system calls of Linux's.
package vfork

import _ "github.com/keepalivedd/keepalivedd/internal/linux" // says so

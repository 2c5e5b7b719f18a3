//go:build !unix

package logging

import _ "github.com/keepalivedd/keepalivedd/internal/linux" // says so

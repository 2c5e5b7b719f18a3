//go:build !unix

package pidfile

import _ "github.com/keepalivedd/keepalivedd/internal/linux" // says so

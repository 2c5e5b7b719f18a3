//go:build !unix

package signals

import _ "github.com/keepalivedd/keepalivedd/internal/linux" // says so

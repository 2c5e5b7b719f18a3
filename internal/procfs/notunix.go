//go:build !unix

package procfs

import _ "github.com/keepalivedd/keepalivedd/internal/linux" // says so

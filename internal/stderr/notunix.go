//go:build !unix

package stderr

import _ "github.com/keepalivedd/keepalivedd/internal/linux" // says so

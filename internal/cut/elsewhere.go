//go:build !linux

package cut

import _ "github.com/keepalivedd/keepalivedd/internal/linux" // says so

package settings

import _ "github.com/keepalivedd/keepalivedd/internal/linux" // says so elsewhere

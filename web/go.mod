module github.com/keepalivedd/keepalivedd/web

go 1.25.0

require github.com/keepalivedd/keepalivedd v0.0.0

require golang.org/x/sys v0.46.0 // indirect

replace github.com/keepalivedd/keepalivedd => ../

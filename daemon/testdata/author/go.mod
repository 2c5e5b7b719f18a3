module example.com/spoold

go 1.25.0

require github.com/keepalivedd/keepalivedd v0.0.0

require (
	github.com/kardianos/osext v0.0.0-20190222173326-2bc1f35cddc0 // indirect
	github.com/sevlyar/go-daemon v0.1.6 // indirect
	golang.org/x/sys v0.46.0 // indirect
)

replace github.com/keepalivedd/keepalivedd => ../../..

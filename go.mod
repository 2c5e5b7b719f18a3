module github.com/keepalivedd/keepalivedd

go 1.25.0

require (
	github.com/pelletier/go-toml/v2 v2.4.3
	github.com/rogpeppe/go-internal v1.16.0
	github.com/sevlyar/go-daemon v0.1.6
	github.com/spf13/pflag v1.1.0
	golang.org/x/sys v0.46.0
)

require (
	github.com/kardianos/osext v0.0.0-20190222173326-2bc1f35cddc0 // indirect
	golang.org/x/tools v0.26.0 // indirect
)

// Package config reads keepalivedd.toml(5) into a checked value.
//
// A [Config] that [Load] returns can be used as it is: every default is filled in, every file that it
// includes is merged, and every value was checked, so that nothing is left to find out but what only
// the running system can say. When there is a mistake Load returns no Config, and tells all mistakes
// at once, each with its place.
//
// Each field of the schema below is one key. What is known about the key is said there and nowhere else:
//
//	toml      its name; ",key" marks the field that takes the name of the table itself
//	default   its value when it is not set
//	is        what the value must be: the words that are allowed, "/" for an absolute path,
//	          "positive" for a duration above zero; "required" when there is no default to fall back on
//	reload    "no" when a running daemon cannot change it
package config

import "time"

// Config is the whole configuration. It keeps no reference to the files that it was read from.
type Config struct {
	// PIDFile is an absolute path, or "none".
	PIDFile string `toml:"pidfile" default:"/run/keepalivedd.pid" is:"none /" reload:"no"`
	// StartTimeout bounds the time from the start to readiness.
	StartTimeout time.Duration `toml:"start_timeout" default:"90s" is:"positive"`
	// ShutdownTimeout bounds the time that stopping all programs may take together.
	ShutdownTimeout time.Duration `toml:"shutdown_timeout" default:"30s" is:"positive"`

	Log Log `toml:"log"`
	// Programs is sorted by name, and no name is there twice.
	Programs []Program `toml:"program"`
}

// Log says where the daemon's own messages go.
type Log struct {
	// To is "syslog", "stderr", or the absolute path of a file.
	To string `toml:"to" default:"syslog" is:"syslog stderr /"`
	// Facility is the syslog facility; it means nothing unless To is "syslog".
	Facility string `toml:"facility" default:"daemon" is:"daemon user local0 local1 local2 local3 local4 local5 local6 local7"`
	// Level is the least severe level that is logged.
	Level string `toml:"level" default:"info" is:"debug info warn error"`
}

// Program is one program to be kept running.
type Program struct {
	// Name is the NAME of [program.NAME].
	Name string `toml:",key"`
	// Command is the absolute path of the executable and its arguments; it is never empty.
	Command Command `toml:"command" is:"required"`
	// User is who the program runs as; nil means as the daemon itself. Programs of the same
	// user share one value: do not change it.
	User *User `toml:"user"`
	// Directory is the absolute path in which the program is started.
	Directory string `toml:"directory" default:"/" is:"/"`
	// Environment is added to the program's environment; nil when there is nothing to add.
	Environment Environment `toml:"environment"`
	// Restart says what follows when the program ends by itself.
	Restart Restart `toml:"restart" default:"always" is:"always on-failure never"`
	// StopSignal asks the program to end.
	StopSignal Signal `toml:"stop_signal" default:"TERM"`
	// StopTimeout is the time between StopSignal and SIGKILL; 0 means to kill at once.
	StopTimeout time.Duration `toml:"stop_timeout" default:"10s"`
}

// Restart says when a program that has ended is started again.
type Restart string

// The values of [Restart].
const (
	Always    Restart = "always"
	OnFailure Restart = "on-failure" // unless it ended with status 0
	Never     Restart = "never"
)

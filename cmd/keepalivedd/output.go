package main

import (
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"sync"

	"github.com/keepalivedd/keepalivedd/config"
	"github.com/keepalivedd/keepalivedd/logging"
	"github.com/keepalivedd/keepalivedd/supervise"
)

// terminal is the output of programs in the foreground on a terminal: each line after the program's name.
const terminal = "terminal"

// output is where the output of a program goes that asks for what the configuration calls so.
func (s *service) output(configured string) string {
	switch {
	case configured != supervise.Inherit:
		return configured
	case !s.foreground:
		return supervise.Null // ours is /dev/null by the time that the program writes
	case onTerminal():
		return terminal
	}
	return supervise.Inherit
}

// outputs are the destinations of programs. The Set opens them on its goroutine, a reload reopens them on another.
type outputs struct {
	config config.Log // for the facility

	mu   sync.Mutex
	logs map[*logging.Log]logging.Options
}

func (o *outputs) open(p *supervise.Program) (*supervise.Sink, error) {
	options := logging.Options{To: p.Output, Plain: true}
	switch p.Output {
	case "syslog":
		options = logging.Options{To: p.Output, Ident: p.Name}
		options.Facility, _ = logging.ParseFacility(o.config.Facility)
	case terminal:
		options.To = "stderr"
	}
	log, err := logging.Open(options)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.logs == nil {
		o.logs = map[*logging.Log]logging.Options{}
	}
	o.logs[log] = options
	prefix := ""
	if p.Output == terminal {
		prefix = colour(p.Name)
	}
	return &supervise.Sink{
		Split: p.Output == "syslog",
		Line: func(stderr bool, text []byte) {
			level := slog.LevelInfo
			if stderr {
				level = slog.LevelError
			}
			if prefix != "" {
				text = append([]byte(prefix), text...)
			}
			log.Line(level, text)
		},
		Close: func() {
			o.mu.Lock()
			delete(o.logs, log)
			o.mu.Unlock()
			go log.Close() // it may wait for a second
		},
	}, nil
}

// reopen follows logrotate.
func (o *outputs) reopen(errs *slog.Logger) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for log, options := range o.logs {
		to, err := log.Prepare(options)
		if err != nil {
			errs.Error("the output of a program goes on to where it went", "err", err)
			continue
		}
		log.Switch(to)
	}
}

// close writes what is left.
func (o *outputs) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for log := range o.logs {
		log.Close()
	}
	o.logs = nil
}

// colour is what stands before a program's lines on a terminal.
func colour(name string) string {
	if os.Getenv("NO_COLOR") != "" {
		return fmt.Sprintf("%-10s| ", name)
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	return fmt.Sprintf("\x1b[3%dm%-10s|\x1b[0m ", 1+h.Sum32()%6, name)
}

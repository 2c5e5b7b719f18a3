package supervise

import (
	"os"
	"strings"
	"testing"
)

// promise U2: a state that nobody could go on with is refused, and told why, before anything happens
func TestStatesThatCannotBe(t *testing.T) {
	text, err := os.ReadFile("testdata/state-1.json")
	if err != nil {
		t.Fatal(err)
	}
	before, err := decodeState(text, true)
	if err != nil {
		t.Fatal(err)
	}
	first := before.Sources[0].FD
	is := func(name string, do func(p *programState)) func(*setState) {
		return func(s *setState) {
			for i := range s.Programs {
				if s.Programs[i].State == name {
					do(&s.Programs[i])
					return
				}
			}
			t.Fatalf("no program is %s", name)
		}
	}
	for want, do := range map[string]func(*setState){
		"it is of version 0": func(s *setState) { s.Version = 0 },
		"there twice":        func(s *setState) { s.Sources[1].FD = first },
		"descriptor 2 is there twice, or cannot be": func(s *setState) { s.Sources[0].FD = 2 },
		`read for "tea", which is not known`:        func(s *setState) { s.Sources[0].Kind = "tea" },
		"output has no place to go":                 func(s *setState) { s.Sources[1].Sink = len(s.Sinks) },
		"a number cannot be":                        func(s *setState) { s.Sources[0].Left = -1 },
		"descriptor 1 is there twice, or cannot be": func(s *setState) { s.Kept = 1 },
		"is there twice, or cannot":                 func(s *setState) { s.Epoll = first },
		"what is kept of the output of program fd":  func(s *setState) { s.Kept = 0 },
		"output of program web comes from nowhere":  func(s *setState) { s.Sinks[1].Outlets = []int{first} },
		"a program has no name, or another's":       func(s *setState) { s.Programs[1] = s.Programs[0] },
		"it is another too":                         is("up", func(p *programState) { p.Wanted = specNamed("x") }),
		`it is "starting anew"`:                     is("up", func(p *programState) { p.State = "starting anew" }),
		"it is up, with pid 0":                      is("up", func(p *programState) { p.PID = 0 }),
		"it is blocked, with pid 7":                 is("blocked", func(p *programState) { p.PID = 7 }),
		"program checked: a number cannot be":       is("up", func(p *programState) { p.PID = 1 }),
		"it is up, with pid 15531":                  is("up", func(p *programState) { p.GroupEnd = &groupEnd{} }),
		"it is held by nobody":                      is("blocked", func(p *programState) { p.State = held.String() }),
		"its gate is not told":                      is("up", func(p *programState) { p.Gate = &gateState{} }),
		"it has no hook": is("up", func(p *programState) {
			p.Hooks = &hooksState{Told: &changeState{}}
		}),
		"a process of it is another's":                is("up", func(p *programState) { p.Watch.Running.PID = p.PID }),
		"descriptor 9999 is missing":                  is("up", func(p *programState) { p.Sources = []int{9999} }),
		"the process that reads the events":           func(s *setState) { s.Feed = &taskState{PID: s.Programs[1].PID} },
		"pid 0 is there twice, or cannot be":          func(s *setState) { s.Tasks[0].PID = 0; s.Gates = nil },
		"the gate that it has given up is no process": func(s *setState) { s.Gates["waits"] = 7 },
		"a socket is nobody's": func(s *setState) {
			s.Sockets = []socketState{{Address: "tcp::1", FD: 99}}
		},
		"a socket is nobody's, or is something": func(s *setState) {
			one := socketState{Address: "tcp::1", FD: 99, Users: []string{"fd"}}
			s.Sockets = []socketState{one, one}
		},
		"or is something else": func(s *setState) {
			s.Sockets = []socketState{{Address: "tcp::1", FD: first, Users: []string{"fd"}}}
		},
		`tcp::1: there is no program "nobody"`: func(s *setState) {
			s.Sockets = []socketState{{Address: "tcp::1", FD: 99, Users: []string{"nobody"}}}
		},
		`there is no program "queued"`: func(s *setState) { s.Queue = []string{"queued"} },
		`there is no program "asleep"`: func(s *setState) { s.Asleep = []string{"asleep"} },
		`there is no program "bound"`:  func(s *setState) { s.Binding = []string{"bound"} },
	} {
		s, err := decodeState(text, true)
		if err != nil {
			t.Fatal(err)
		}
		do(s)
		if err := s.check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if err := CheckState(append(text, "{}"...)); err == nil || !strings.Contains(err.Error(), "there is more behind it") {
		t.Error(err)
	}
}

func specNamed(name string) *specState { return specOf(&Program{Name: name}) }

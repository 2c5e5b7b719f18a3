package supervise

import (
	"errors"
	"time"
)

// setState is all of a Set that goes on in another, which takes its place in the same process after an execve(2).
// Fields are only ever added; what an older program does not know it passes over.
// A moment is the time since the boot, and 0 is never.
type setState struct {
	Version   int              `json:"version"`
	Now       moment           `json:"now"`             // when this was written
	Booted    time.Time        `json:"booted,omitzero"` // the machine, by the clock that since is on
	Age       time.Duration    `json:"age"`             // of the clock that born, told and died are on
	Stops     uint32           `json:"stops"`
	Cgroup    string           `json:"cgroup,omitempty"`
	Programs  []programState   `json:"programs"`
	Queue     []string         `json:"queue,omitempty"`
	Tasks     []taskState      `json:"tasks,omitempty"` // nobody wants to know of any more
	Feed      *taskState       `json:"feed,omitempty"`
	Sinks     []sinkState      `json:"sinks,omitempty"`
	Sources   []sourceState    `json:"sources,omitempty"`
	Asleep    []string         `json:"asleep,omitempty"`
	Sweeps    []sweepState     `json:"sweeps,omitempty"`
	Inhabited map[string]Kill  `json:"inhabited,omitempty"`
	Gates     map[string]int   `json:"gates,omitempty"`   // that were given up, of programs: the PIDs of those tasks
	Binding   []string         `json:"binding,omitempty"` // programs whose Resources are not known to be applied
	Sockets   []socketState    `json:"sockets,omitempty"`
	Silent    int              `json:"silent,omitempty"`
	Kept      int              `json:"kept,omitempty"`  // a descriptor with what is kept of output; 0: nothing is
	Epoll     int              `json:"epoll,omitempty"` // a descriptor, whose set are the sources; 0: they are in none
	Keep      int              `json:"keep,omitempty"`  // the bound of what is kept of output
	Lines     uint64           `json:"lines,omitempty"` // the number of the last one
	Keeps     []int            `json:"keeps,omitempty"` // of kin
	HasKept   bool             `json:"has_kept,omitempty"`
	Kin       map[int]kinState `json:"kin,omitempty"`
	Sessions  map[int]int      `json:"sessions,omitempty"`
}

const stateVersion = 1

type moment = time.Duration

// specState is a Program. What of it may not be text is kept as bytes, and functions are found again by the program's
// name.
type specState struct {
	*Program
	Environment map[string][]byte `json:",omitempty"` // in the place of the Program's
	Finds       bool              `json:",omitempty"` // it has a FindEnvironment
	FindsUser   bool              `json:",omitempty"`
}

type programState struct {
	Spec     *specState    `json:"spec"`
	Wanted   *specState    `json:"wanted,omitempty"` // nil: Spec
	Gone     bool          `json:"gone,omitempty"`   // nothing is wanted
	State    string        `json:"state"`
	Outcome  outcome       `json:"outcome,omitempty"`
	Stop     uint32        `json:"stop,omitempty"`
	Missing  int32         `json:"missing,omitempty"`
	Passed   int32         `json:"passed,omitempty"`
	Holder   string        `json:"holder,omitempty"`
	PID      int           `json:"pid,omitempty"`
	Starts   int           `json:"starts,omitempty"`
	Failures int           `json:"failures,omitempty"`
	Since    time.Time     `json:"since"`
	Born     time.Duration `json:"born,omitempty"`
	Told     time.Duration `json:"told,omitempty"`
	Begun    moment        `json:"begun,omitempty"`
	Due      moment        `json:"due,omitempty"` // the alarm of its state
	Last     string        `json:"last,omitempty"`
	Status   int           `json:"status,omitempty"`
	Why      string        `json:"why,omitempty"`
	Fault    string        `json:"fault,omitempty"`
	Exits    Exits         `json:"exits,omitzero"`
	Leaves   bool          `json:"leaves,omitempty"`
	Session  int           `json:"session,omitempty"`
	Swept    bool          `json:"swept,omitempty"`
	Bound    bool          `json:"bound,omitempty"`
	Ran      int32         `json:"ran,omitempty"`
	Spent    *int64        `json:"spent,omitempty"` // nil: not known, but of the first process

	Hold       *Hold           `json:"hold,omitempty"`
	GroupEnd   *groupEnd       `json:"group_end,omitempty"`
	Died       []time.Duration `json:"died,omitempty"`
	Deaths     []time.Time     `json:"deaths,omitempty"`  // the same, by a program that went by the clock of the wall
	Sources    []int           `json:"sources,omitempty"` // of its process, by descriptor
	Sink       *int            `json:"sink,omitempty"`    // the index
	Given      *specState      `json:"given,omitempty"`
	Gate       *gateState      `json:"gate,omitempty"`
	Watch      *watchState     `json:"watch,omitempty"`
	Notified   *notifiedState  `json:"notified,omitempty"`
	Hooks      *hooksState     `json:"hooks,omitempty"`
	Tail       [][]byte        `json:"tail,omitempty"`
	HasTail    bool            `json:"has_tail,omitempty"`
	FirstError string          `json:"first_error,omitempty"`
	Proven     bool            `json:"proven,omitempty"`
	Proof      moment          `json:"proof,omitempty"`
}

type taskState struct {
	PID   int    `json:"pid"`
	Limit moment `json:"limit,omitempty"`
}

type gateState struct {
	Spec     *Gate         `json:"spec"`
	Task     *taskState    `json:"task,omitempty"`
	Socket   int           `json:"socket"`
	Open     bool          `json:"open,omitempty"`
	Token    []byte        `json:"token,omitempty"`
	Known    bool          `json:"known,omitempty"`
	Given    bool          `json:"given,omitempty"`
	Heard    moment        `json:"heard,omitempty"`
	Lost     string        `json:"lost,omitempty"`
	Since    moment        `json:"since,omitempty"`
	Renew    time.Duration `json:"renew,omitempty"`
	Slack    time.Duration `json:"slack,omitempty"`
	Timeout  time.Duration `json:"timeout,omitempty"`
	Delay    moment        `json:"delay,omitempty"`
	Silence  moment        `json:"silence,omitempty"`
	Deadline moment        `json:"deadline,omitempty"`
}

type watchState struct {
	Next     moment     `json:"next,omitempty"`
	Running  *taskState `json:"running,omitempty"`
	Failures int        `json:"failures,omitempty"`
	Failed   int        `json:"failed,omitempty"`
	Watchdog moment     `json:"watchdog,omitempty"`
}

type notifiedState struct {
	Text      string         `json:"text,omitempty"`
	Reloading bool           `json:"reloading,omitempty"`
	Stopping  bool           `json:"stopping,omitempty"`
	Watchdog  *time.Duration `json:"watchdog,omitempty"`
	End       moment         `json:"end,omitempty"`
	Extended  bool           `json:"extended,omitempty"` // the time of the state that it is in
	Main      int            `json:"main,omitempty"`
	MainFD    int            `json:"main_fd,omitempty"`
}

type hooksState struct {
	Running bool         `json:"running,omitempty"`
	Told    *changeState `json:"told,omitempty"`
	Task    *taskState   `json:"task,omitempty"`
	Waiting *changeState `json:"waiting,omitempty"`
	Wants   int          `json:"wants,omitempty"`
	Again   moment       `json:"again,omitempty"`
}

type changeState struct {
	Spec    *specState `json:"spec,omitempty"` // nil: the program's
	Was     string     `json:"was"`
	Now     string     `json:"now"`
	Last    string     `json:"last,omitempty"`
	Starts  int        `json:"starts,omitempty"`
	Skipped int        `json:"skipped,omitempty"`
	Output  [][]byte   `json:"output,omitempty"`
}

// sinkState is where output goes. It is opened anew.
type sinkState struct {
	Program string     `json:"program,omitempty"` // whose lines are kept; "": they are not
	Output  string     `json:"output"`
	Closing bool       `json:"closing,omitempty"`
	Outlets []int      `json:"outlets,omitempty"` // in their order, by descriptor
	Kept    *keptState `json:"kept,omitempty"`
}

// keptState is what is kept of the output of a program.
type keptState struct {
	Written uint64 `json:"written,omitempty"`
	Dropped uint64 `json:"dropped,omitempty"`
	Records int    `json:"records,omitempty"` // bytes of them, see [record], in setState.Kept behind those of the sinks before
}

// Kinds of sources.
const (
	kindOutput = "output"
	kindReady  = "ready"
	kindNotify = "notify"
	kindGate   = "gate"
)

// sourceState is a descriptor that is read.
type sourceState struct {
	Kind    string `json:"kind"`
	FD      int    `json:"fd"`
	Program string `json:"program,omitempty"` // whose process, or present gate, it is; "": one that is only read to the end
	Start   int    `json:"start,omitempty"`
	PID     int    `json:"pid,omitempty"` // of the process that has the other end of output

	Sink    int       `json:"sink,omitempty"`
	Stderr  bool      `json:"stderr,omitempty"`
	Kept    []byte    `json:"kept,omitempty"`
	Over    bool      `json:"over,omitempty"`
	Stalled bool      `json:"stalled,omitempty"` // what is kept waits for room
	Begun   bool      `json:"begun,omitempty"`
	Pass    bool      `json:"pass,omitempty"`
	Within  bool      `json:"within,omitempty"`
	Untold  int       `json:"untold,omitempty"`
	Rate    int       `json:"rate,omitempty"`
	Used    int       `json:"used,omitempty"`
	Dropped int       `json:"dropped,omitempty"`
	Second  time.Time `json:"second,omitzero"`
	Tail    bool      `json:"tail,omitempty"`
	Left    int       `json:"left,omitempty"`
	Cut     bool      `json:"cut,omitempty"`
	Final   bool      `json:"final,omitempty"`

	UID int `json:"uid,omitempty"`

	Guarded bool   `json:"guarded,omitempty"`
	Line    []byte `json:"line,omitempty"`
	Opened  bool   `json:"opened,omitempty"`
}

type sweepState struct {
	Dir     string        `json:"dir"`
	Name    string        `json:"name"`
	Session int           `json:"session,omitempty"`
	Asked   []whoState    `json:"asked,omitempty"`
	Forcing bool          `json:"forcing,omitempty"`
	Limit   moment        `json:"limit,omitempty"`
	Again   moment        `json:"again,omitempty"`
	Wait    time.Duration `json:"wait,omitempty"`
}

type whoState struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"`
	Name  []byte `json:"name"`
}

type kinState struct {
	Start    uint64 `json:"start"`
	Ancestor int    `json:"ancestor"`
}

// socketState is what programs listen on.
type socketState struct {
	Address string   `json:"address"`
	FD      int      `json:"fd"` // -1: it is not open
	Dev     uint64   `json:"dev,omitempty"`
	Ino     uint64   `json:"ino,omitempty"`
	Users   []string `json:"users"` // programs
}

// program makes a Program of it again, with the functions of same, a program of the same name; nil: there is none.
func (x *specState) program(same *Program) *Program {
	p := x.Program
	p.Environment = nil
	if x.Environment != nil {
		p.Environment = map[string]string{}
	}
	for name, value := range x.Environment {
		p.Environment[name] = string(value)
	}
	if x.Finds {
		p.FindEnvironment = func() (map[string]string, error) { return nil, errNotFoundAgain }
		if same != nil && same.FindEnvironment != nil {
			p.FindEnvironment = same.FindEnvironment
		}
	}
	if x.FindsUser && p.User != nil {
		p.User.Find = func() (*User, error) { return nil, errNotFoundAgain }
		if same != nil && same.User != nil && same.User.Name == p.User.Name {
			p.User = same.User // who may be known by now
		}
	}
	if p.Listen != nil {
		p.Listen.findAgain(same)
	}
	return p
}

// findAgain has the sockets find their owners as those of same do.
func (n *Listen) findAgain(same *Program) {
	for i := range n.Sockets {
		s := &n.Sockets[i]
		if same != nil {
			if t := same.Listen.socket(s.Address); t != nil && s.bindsAs(t) {
				s.Owner, s.FindGroup = t.Owner, t.FindGroup
				continue
			}
		}
		if s.Group != "" {
			s.FindGroup = func() (int, error) { return 0, errNotFoundAgain }
		}
	}
}

var errNotFoundAgain = errors.New("it is not in the configuration any more: reload")

func specOf(p *Program) *specState {
	if p == nil {
		return nil
	}
	x := &specState{Program: p, Finds: p.FindEnvironment != nil, FindsUser: p.User != nil && p.User.Find != nil}
	if p.Environment != nil {
		x.Environment = map[string][]byte{}
	}
	for name, value := range p.Environment {
		x.Environment[name] = []byte(value)
	}
	return x
}

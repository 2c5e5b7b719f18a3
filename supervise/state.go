package supervise

// A program is in one of these states. What moves it is in the table below, and nowhere else.
type state uint8

const (
	down      state = iota // no process, and none to come
	blocked                // wanted, but the programs that it comes after are not ready, or its gate is shut
	queued                 // to be started when its turn comes
	starting               // a process that is not ready yet
	up                     // a process that is ready
	backoff                // no process until the restart delay is over
	lingering              // to stop once those that come after it have stopped
	stopping               // the stop signal was sent to the group
	killing                // KILL was sent to the group
	states
)

func (s state) String() string {
	return [states]string{"down", "blocked", "queued", "starting", "up", "backoff", "lingering", "stopping", "killing"}[s]
}

type event uint8

const (
	want    event = iota // it is to run
	unwant               // it is to stop, and perhaps to run as something else then
	hurry                // it is to stop now
	clear                // nothing is in its way any more
	timer                // its deadline has come
	started              // its process runs
	noStart              // its process could not be started
	ready                // its process says that it is ready
	sick                 // its process has to go: a failed check, a lost gate
	died                 // its process ended, and is to be followed by another
	ended                // its process ended, and that was the last
	events
)

func (e event) String() string {
	return [events]string{"want", "unwant", "hurry", "clear", "timer", "started", "noStart", "ready", "sick", "died", "ended"}[e]
}

// An action is what is done on the way from one state to the next.
type action uint8

const (
	undecided action = iota // a hole in the table
	nothing
	admit     // see whether something is in its way
	enqueue   // have a process started
	await     // wait for readiness
	arrive    // it is ready: let those that come after it know, and begin to watch it
	linger    // stop, as soon as nobody is left that comes after it
	terminate // send the stop signal, and KILL at the deadline
	fault     // the same, because of something that counts as a failure
	kill      // send KILL
	wait      // until the restart delay is over
	rest      // stay down
	settle    // it has come down as it was told to: be what is wanted meanwhile, or be gone
	complain  // KILL has had no effect
	bug       // cannot happen
)

type step struct {
	to state
	do action
}

var table = [states][events]step{
	down: {
		want: {blocked, admit}, unwant: {down, settle}, hurry: {down, settle}, clear: {down, nothing},
		timer: {down, bug}, started: {down, bug}, noStart: {down, bug}, ready: {down, bug},
		sick: {down, nothing}, died: {backoff, wait}, ended: {down, rest},
	},
	blocked: {
		want: {blocked, nothing}, unwant: {down, settle}, hurry: {down, settle}, clear: {queued, enqueue},
		timer: {blocked, admit}, started: {blocked, bug}, noStart: {blocked, bug}, ready: {blocked, bug},
		sick: {backoff, wait}, died: {blocked, bug}, ended: {blocked, bug},
	},
	queued: {
		want: {queued, nothing}, unwant: {down, settle}, hurry: {down, settle}, clear: {queued, nothing},
		timer: {queued, bug}, started: {starting, await}, noStart: {backoff, wait}, ready: {queued, bug},
		sick: {backoff, wait}, died: {queued, bug}, ended: {down, rest},
	},
	starting: {
		want: {starting, nothing}, unwant: {lingering, linger}, hurry: {killing, kill}, clear: {starting, nothing},
		timer: {stopping, fault}, started: {starting, bug}, noStart: {starting, bug}, ready: {up, arrive},
		sick: {stopping, fault}, died: {backoff, wait}, ended: {down, rest},
	},
	up: {
		want: {up, nothing}, unwant: {lingering, linger}, hurry: {killing, kill}, clear: {up, nothing},
		timer: {up, bug}, started: {up, bug}, noStart: {up, bug}, ready: {up, nothing},
		sick: {stopping, fault}, died: {backoff, wait}, ended: {down, rest},
	},
	backoff: {
		want: {backoff, nothing}, unwant: {down, settle}, hurry: {down, settle}, clear: {backoff, nothing},
		timer: {blocked, admit}, started: {backoff, bug}, noStart: {backoff, bug}, ready: {backoff, bug},
		sick: {backoff, nothing}, died: {backoff, bug}, ended: {backoff, bug},
	},
	lingering: {
		want: {lingering, nothing}, unwant: {lingering, nothing}, hurry: {killing, kill}, clear: {stopping, terminate},
		timer: {lingering, bug}, started: {lingering, bug}, noStart: {lingering, bug}, ready: {lingering, nothing},
		sick: {stopping, terminate}, died: {down, settle}, ended: {down, settle},
	},
	stopping: {
		want: {stopping, nothing}, unwant: {stopping, nothing}, hurry: {killing, kill}, clear: {stopping, nothing},
		timer: {killing, kill}, started: {stopping, bug}, noStart: {stopping, bug}, ready: {stopping, nothing},
		sick: {stopping, nothing}, died: {down, settle}, ended: {down, settle},
	},
	killing: {
		want: {killing, nothing}, unwant: {killing, nothing}, hurry: {killing, nothing}, clear: {killing, nothing},
		timer: {killing, complain}, started: {killing, bug}, noStart: {killing, bug}, ready: {killing, nothing},
		sick: {killing, nothing}, died: {down, settle}, ended: {down, settle},
	},
}

// running says in which states there is a process.
func (s state) running() bool { return s == starting || s == up || s.leaving() }

func (s state) leaving() bool { return s == lingering || s == stopping || s == killing }

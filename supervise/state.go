package supervise

// A program is in one of these states. What moves it is in the table below, and nowhere else.
type state uint8

const (
	down      state = iota // no process, and none to come
	blocked                // wanted, but the programs that it comes after are not ready, or its gate is shut
	queued                 // to be started when its turn comes
	launching              // handed over to the spawner, and whether there is a process is not known yet
	recalled               // the same, and to stop at once when there is one
	starting               // a process that is not ready yet
	up                     // a process that is ready
	backoff                // no process until the restart delay is over
	lingering              // to stop once those that come after it have stopped
	stopping               // the stop signal was sent to the group
	killing                // KILL was sent to the group
	held                   // no process, and none to come until somebody lifts the hold
	states
)

func (s state) String() string {
	return [states]string{"down", "blocked", "queued", "launching", "recalled", "starting", "up", "backoff", "lingering",
		"stopping", "killing", "held"}[s]
}

type event uint8

const (
	want       event = iota // it is to run
	unwant                  // it is to stop, and perhaps to run as something else then
	hurry                   // it is to stop now
	unblocked               // nothing is in its way any more
	timer                   // its deadline has come
	launches                // the spawner has it
	started                 // its process runs
	notStarted              // its process could not be started
	ready                   // its process says that it is ready
	unhealthy               // its process has to go: a failed check, a lost gate
	died                    // its process ended, and is to be followed by another
	ended                   // its process ended, and that was the last
	reblocked               // what it comes after has gone while it waited for its turn
	lift                    // somebody asks for it to run, whatever has become of it
	hold                    // somebody asks for it to be down, until it is lifted
	renew                   // somebody asks for another process in the place of the one that there is
	poke                    // somebody asks for a signal to its process
	events
)

func (e event) String() string {
	return [events]string{"want", "unwant", "hurry", "unblocked", "timer", "launches", "started", "notStarted", "ready",
		"unhealthy", "died", "ended", "reblocked", "lift", "hold", "renew", "poke"}[e]
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
	recall    // stop, as soon as it is known whether there is a process
	linger    // stop, as soon as nobody is left that comes after it
	terminate // send the stop signal, and KILL at the deadline
	fault     // the same, because of something that counts as a failure
	kill      // send KILL
	delay     // until the restart delay is over
	rest      // stay down
	settle    // it has come down as it was told to: be what is wanted meanwhile, or be gone
	complain  // KILL has had no effect
	pass      // hand on the signal
	bug       // cannot happen
)

type step struct {
	to state
	do action
}

var table = [states][events]step{
	down: {
		want: {blocked, admit}, unwant: {down, settle}, hurry: {down, settle}, unblocked: {down, nothing},
		timer: {down, bug}, launches: {down, bug}, started: {down, bug}, notStarted: {down, bug},
		ready: {down, bug}, unhealthy: {down, nothing}, died: {backoff, delay},
		ended: {down, rest}, reblocked: {down, bug},
		lift: {blocked, admit}, hold: {held, nothing}, renew: {blocked, admit}, poke: {down, nothing},
	},
	blocked: {
		want: {blocked, nothing}, unwant: {down, settle}, hurry: {down, settle}, unblocked: {queued, enqueue},
		timer: {blocked, admit}, launches: {blocked, bug}, started: {blocked, bug}, notStarted: {blocked, bug},
		ready: {blocked, bug}, unhealthy: {backoff, delay}, died: {blocked, bug},
		ended: {blocked, bug}, reblocked: {blocked, bug},
		lift: {blocked, nothing}, hold: {down, settle}, renew: {blocked, nothing}, poke: {blocked, nothing},
	},
	queued: {
		want: {queued, nothing}, unwant: {down, settle}, hurry: {down, settle}, unblocked: {queued, nothing},
		timer: {queued, bug}, launches: {launching, nothing}, started: {queued, bug}, notStarted: {backoff, delay},
		ready: {queued, bug}, unhealthy: {backoff, delay}, died: {queued, bug},
		ended: {down, rest}, reblocked: {blocked, nothing},
		lift: {queued, nothing}, hold: {down, settle}, renew: {queued, nothing}, poke: {queued, nothing},
	},
	launching: {
		want: {launching, nothing}, unwant: {recalled, recall}, hurry: {recalled, recall}, unblocked: {launching, nothing},
		timer: {launching, bug}, launches: {launching, bug}, started: {starting, await}, notStarted: {backoff, delay},
		ready: {launching, bug}, unhealthy: {launching, bug}, died: {launching, bug},
		ended: {down, rest}, reblocked: {launching, bug},
		lift: {launching, nothing}, hold: {recalled, recall}, renew: {recalled, recall}, poke: {launching, nothing},
	},
	recalled: {
		want: {recalled, nothing}, unwant: {recalled, nothing}, hurry: {recalled, nothing}, unblocked: {recalled, nothing},
		timer: {recalled, bug}, launches: {recalled, bug}, started: {lingering, linger}, notStarted: {down, settle},
		ready: {recalled, bug}, unhealthy: {recalled, bug}, died: {recalled, bug},
		ended: {down, settle}, reblocked: {recalled, bug},
		lift: {recalled, nothing}, hold: {recalled, nothing}, renew: {recalled, nothing}, poke: {recalled, nothing},
	},
	starting: {
		want: {starting, nothing}, unwant: {lingering, linger}, hurry: {killing, kill}, unblocked: {starting, nothing},
		timer: {stopping, fault}, launches: {starting, bug}, started: {starting, bug}, notStarted: {starting, bug},
		ready: {up, arrive}, unhealthy: {stopping, fault}, died: {backoff, delay},
		ended: {down, rest}, reblocked: {starting, bug},
		lift: {starting, nothing}, hold: {lingering, linger}, renew: {lingering, linger}, poke: {starting, pass},
	},
	up: {
		want: {up, nothing}, unwant: {lingering, linger}, hurry: {killing, kill}, unblocked: {up, nothing},
		timer: {up, bug}, launches: {up, bug}, started: {up, bug}, notStarted: {up, bug},
		ready: {up, nothing}, unhealthy: {stopping, fault}, died: {backoff, delay},
		ended: {down, rest}, reblocked: {up, bug},
		lift: {up, nothing}, hold: {lingering, linger}, renew: {lingering, linger}, poke: {up, pass},
	},
	backoff: {
		want: {backoff, nothing}, unwant: {down, settle}, hurry: {down, settle}, unblocked: {backoff, nothing},
		timer: {blocked, admit}, launches: {backoff, bug}, started: {backoff, bug}, notStarted: {backoff, bug},
		ready: {backoff, bug}, unhealthy: {backoff, nothing}, died: {backoff, bug},
		ended: {backoff, bug}, reblocked: {backoff, bug},
		lift: {blocked, admit}, hold: {down, settle}, renew: {blocked, admit}, poke: {backoff, nothing},
	},
	lingering: {
		want: {lingering, nothing}, unwant: {lingering, nothing}, hurry: {killing, kill}, unblocked: {stopping, terminate},
		timer: {lingering, bug}, launches: {lingering, bug}, started: {lingering, bug}, notStarted: {lingering, bug},
		ready: {lingering, nothing}, unhealthy: {stopping, terminate}, died: {down, settle},
		ended: {down, settle}, reblocked: {lingering, bug},
		lift: {lingering, nothing}, hold: {lingering, nothing}, renew: {lingering, nothing}, poke: {lingering, pass},
	},
	stopping: {
		want: {stopping, nothing}, unwant: {stopping, nothing}, hurry: {killing, kill}, unblocked: {stopping, nothing},
		timer: {killing, kill}, launches: {stopping, bug}, started: {stopping, bug}, notStarted: {stopping, bug},
		ready: {stopping, nothing}, unhealthy: {stopping, nothing}, died: {down, settle},
		ended: {down, settle}, reblocked: {stopping, bug},
		lift: {stopping, nothing}, hold: {stopping, nothing}, renew: {stopping, nothing}, poke: {stopping, pass},
	},
	killing: {
		want: {killing, nothing}, unwant: {killing, nothing}, hurry: {killing, nothing}, unblocked: {killing, nothing},
		timer: {killing, complain}, launches: {killing, bug}, started: {killing, bug}, notStarted: {killing, bug},
		ready: {killing, nothing}, unhealthy: {killing, nothing}, died: {down, settle},
		ended: {down, settle}, reblocked: {killing, bug},
		lift: {killing, nothing}, hold: {killing, nothing}, renew: {killing, nothing}, poke: {killing, pass},
	},
	held: {
		want: {held, nothing}, unwant: {held, settle}, hurry: {held, settle}, unblocked: {held, nothing},
		timer: {held, bug}, launches: {held, bug}, started: {held, bug}, notStarted: {held, bug},
		ready: {held, bug}, unhealthy: {held, nothing}, died: {held, bug},
		ended: {held, bug}, reblocked: {held, bug},
		lift: {blocked, admit}, hold: {held, nothing}, renew: {blocked, admit}, poke: {held, nothing},
	},
}

// running says in which states there is a process.
func (s state) running() bool { return s == starting || s == up || s.leaving() }

// underWay says in which states it is not known yet whether there is a process.
func (s state) underWay() bool { return s == launching || s == recalled }

func (s state) leaving() bool { return s == lingering || s == stopping || s == killing }

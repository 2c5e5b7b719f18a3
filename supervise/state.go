package supervise

// A program is in one of these states. What moves it is in the table below, and nowhere else.
type state uint8

const (
	down     state = iota // no process, and none to come
	queued                // to be started when its turn comes
	up                    // a process that runs
	backoff               // no process until the restart delay is over
	stopping              // the stop signal was sent to the group
	killing               // KILL was sent to the group
	states
)

func (s state) String() string {
	return [states]string{"down", "queued", "up", "backoff", "stopping", "killing"}[s]
}

type event uint8

const (
	want    event = iota // it is to run
	unwant               // it is to stop
	hurry                // it is to stop now
	timer                // its deadline has come
	started              // its process runs
	noStart              // its process could not be started
	died                 // its process ended
	ended                // its process ended, and that was the last
	events
)

// An action is what is done on the way from one state to the next.
type action uint8

const (
	undecided action = iota // a hole in the table
	nothing
	enqueue   // have a process started
	terminate // send the stop signal, and KILL at the deadline
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
		want: {queued, enqueue}, unwant: {down, settle}, hurry: {down, settle}, timer: {down, bug},
		started: {down, bug}, noStart: {down, bug}, died: {down, bug}, ended: {down, bug},
	},
	queued: {
		want: {queued, nothing}, unwant: {down, settle}, hurry: {down, settle}, timer: {queued, bug},
		started: {up, nothing}, noStart: {backoff, wait}, died: {queued, bug}, ended: {queued, bug},
	},
	up: {
		want: {up, nothing}, unwant: {stopping, terminate}, hurry: {killing, kill}, timer: {up, bug},
		started: {up, bug}, noStart: {up, bug}, died: {backoff, wait}, ended: {down, rest},
	},
	backoff: {
		want: {backoff, nothing}, unwant: {down, settle}, hurry: {down, settle}, timer: {queued, enqueue},
		started: {backoff, bug}, noStart: {backoff, bug}, died: {backoff, bug}, ended: {backoff, bug},
	},
	stopping: {
		want: {stopping, nothing}, unwant: {stopping, nothing}, hurry: {killing, kill}, timer: {killing, kill},
		started: {stopping, bug}, noStart: {stopping, bug}, died: {down, settle}, ended: {down, settle},
	},
	killing: {
		want: {killing, nothing}, unwant: {killing, nothing}, hurry: {killing, nothing}, timer: {killing, complain},
		started: {killing, bug}, noStart: {killing, bug}, died: {down, settle}, ended: {down, settle},
	},
}

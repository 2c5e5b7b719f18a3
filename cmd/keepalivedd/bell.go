package main

// bell wakes somebody. Rung again before that one has woken, it has rung once; who rings does not wait.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

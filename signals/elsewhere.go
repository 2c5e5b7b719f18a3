//go:build !linux

package signals

// Unblock clears the signal mask, on Linux only; elsewhere it does nothing.
func Unblock() (done func(), err error) { return func() {}, nil }

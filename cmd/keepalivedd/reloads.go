package main

import (
	"sync"
	"time"
)

// reloads counts what has become of the reloads, for who asks.
type reloads struct {
	mu  sync.Mutex
	now reloadState
}

// begin is for a start that has come to its end.
func (r *reloads) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = reloadState{Last: true, InForce: time.Now().Round(0)}
}

// goOn is for a program that takes over from another.
func (r *reloads) goOn(was reloadState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = was
}

func (r *reloads) note(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now.Last = err == nil; err == nil {
		r.now.Accepted++
		r.now.InForce = time.Now().Round(0)
	} else {
		r.now.Refused++
	}
}

// state is nil before the start is over.
func (r *reloads) state() *reloadState {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now.InForce.IsZero() {
		return nil
	}
	now := r.now
	return &now
}

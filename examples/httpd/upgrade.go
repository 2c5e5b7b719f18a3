package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/keepalivedd/keepalivedd/daemon"
)

// patience is how long an upgrade waits for requests that are under way, while others wait for it.
const patience = 10 * time.Second

// state is what the program that takes over has to know, beside the connections.
type state struct {
	Listen   string `json:"listen"`
	Requests int64  `json:"requests"`
}

func (s *server) state(context.Context) (json.RawMessage, error) {
	return json.Marshal(state{s.settings.Listen, s.requests.Load()})
}

// save leaves the door to the program that takes over. A request that does not end has the upgrade refused.
func (s *server) save(ctx context.Context) (*daemon.Saved, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	waiting, err := s.door.leave(ctx)
	if err != nil {
		s.door.stay()
		return nil, err
	}
	saved := &daemon.Saved{Files: map[string]*os.File{}, Resume: s.door.stay}
	for i, f := range waiting {
		saved.Files[connection(i)] = f
	}
	saved.State, err = s.state(ctx)
	if err == nil {
		saved.Files["door"], err = s.door.File()
	}
	if err != nil {
		s.door.stay()
		return nil, err
	}
	return saved, nil
}

func connection(i int) string { return fmt.Sprint("connection ", i) }

// rehearse says, in the program that may take over, why it could not.
func (s *server) rehearse(text json.RawMessage) error {
	var was state
	if err := json.Unmarshal(text, &was); err != nil {
		return err
	}
	if was.Listen != s.settings.Listen {
		return fmt.Errorf("listen cannot change from %q to %q: restart it", was.Listen, s.settings.Listen)
	}
	return nil
}

// inherit opens the door that the program before has left, with those who wait. Until it has succeeded nothing is
// closed: that program goes on otherwise.
func (s *server) inherit(from *daemon.Inherited) error {
	var was state
	err := json.Unmarshal(from.State, &was)
	if err != nil {
		return err
	}
	socket := from.File("door")
	if socket == nil {
		return errors.New("the program before has left no socket")
	}
	l, err := net.FileListener(socket)
	if err != nil {
		return err
	}
	var waiting []*os.File
	for f := from.File(connection(0)); f != nil; f = from.File(connection(len(waiting))) {
		waiting = append(waiting, f)
	}
	if s.door, err = newDoor(l, waiting); err != nil {
		return err
	}
	socket.Close()
	s.requests.Store(was.Requests)
	return nil
}

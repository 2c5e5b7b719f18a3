package supervise

import (
	"os"
	"slices"
	"sync"
)

// inherited hands on to our own standard output and error. They may hang, so a goroutine writes; there is none while
// there is nothing to write.
type inherited struct {
	out [2]*os.File

	mu      sync.Mutex
	waiting []inheritedText
	held    int // bytes, those that are being written included
	writing bool
	room    chan struct{} // somebody waits for it
	empty   sync.WaitGroup
}

type inheritedText struct {
	to   *os.File
	text []byte
}

const mostInherited = 64 << 10

func newInherited(stdout, stderr *os.File) *inherited {
	return &inherited{out: [2]*os.File{stdout, stderr}}
}

func (i *inherited) sink() *Sink {
	return &Sink{Split: true, Offer: i.offer, Line: func(bool, []byte) {}, Close: i.empty.Wait}
}

func (i *inherited) offer(stderr bool, text []byte, ended bool) <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.held > 0 && i.held+len(text) > mostInherited {
		if i.room == nil {
			i.room = make(chan struct{})
		}
		return i.room
	}
	to := i.out[0]
	if stderr {
		to = i.out[1]
	}
	text = slices.Clone(text)
	if ended {
		text = append(text, '\n')
	}
	i.waiting = append(i.waiting, inheritedText{to, text})
	i.held += len(text)
	if !i.writing {
		i.writing = true
		i.empty.Go(i.write)
	}
	return nil
}

func (i *inherited) write() {
	for {
		i.mu.Lock()
		batch := i.waiting
		i.waiting = nil
		if i.writing = len(batch) > 0; !i.writing {
			i.mu.Unlock()
			return
		}
		i.mu.Unlock()
		written := 0
		for _, t := range batch {
			t.to.Write(t.text)
			written += len(t.text)
		}
		i.mu.Lock()
		if i.held -= written; i.room != nil {
			close(i.room)
			i.room = nil
		}
		i.mu.Unlock()
	}
}

package main

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"
)

// metricsRest is the shortest time from one write to the next.
const metricsRest = 15 * time.Second

// metricsFile has the metrics written when something has changed, and then not for a while.
// It sleeps while nothing changes.
type metricsFile struct {
	rest  time.Duration
	wake  bell          // something has changed since the last write
	stop  chan struct{} // closed: no more; nil: it has not begun
	ended chan struct{}

	mu   sync.Mutex
	path string // empty: none
}

func newMetricsFile() *metricsFile {
	return &metricsFile{rest: metricsRest, wake: newBell()}
}

// changed may be called by anybody, at any time. It does not wait.
func (m *metricsFile) changed() { m.wake.ring() }

// begin has what text returns be in the file path, from now on. That it cannot be is told once, and harms nothing.
func (m *metricsFile) begin(path string, text func() []byte, log *slog.Logger) {
	m.stop, m.ended, m.path = make(chan struct{}), make(chan struct{}), path
	m.changed()
	go m.run(text, log)
}

func (m *metricsFile) run(text func() []byte, log *slog.Logger) {
	defer close(m.ended)
	failed := false
	for {
		select {
		case <-m.wake:
		case <-m.stop:
			return
		}
		path := m.where()
		if path == "" {
			continue
		}
		switch err := putInPlace(path, text(), 0o644); {
		case err != nil:
			if !failed {
				log.Warn("metrics_file cannot be written; trying on", "err", err)
			}
			failed = true
			m.changed() // though nothing else may for days
		case failed:
			failed = false
			log.Info("metrics_file can be written again", "file", path)
		}
		if m.where() != path {
			os.Remove(path)
			continue // at once, where it is to be now
		}
		select {
		case <-time.After(m.rest):
		case <-m.stop:
			return
		}
	}
}

func (m *metricsFile) where() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.path
}

// move has it be in another file, or in none, and take note of a reload.
func (m *metricsFile) move(path string) {
	m.mu.Lock()
	was := m.path
	m.path = path
	m.mu.Unlock()
	if was != "" && was != path {
		os.Remove(was)
	}
	m.changed()
}

// end removes the file: what is not there cannot be taken for the truth. A disk that hangs is waited for for a second.
func (m *metricsFile) end(ctx context.Context) {
	if m.stop == nil {
		return
	}
	path := m.where()
	m.move("")
	close(m.stop)
	select {
	case <-m.ended:
		if path != "" {
			os.Remove(path)
		}
	case <-ctx.Done():
	case <-time.After(time.Second):
	}
}

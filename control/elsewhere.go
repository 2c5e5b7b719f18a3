//go:build !linux

package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

var errNeedsLinux = fmt.Errorf("package control needs Linux: %w", errors.ErrUnsupported)

// A Follower is who has asked for a [Stream].
type Follower struct{}

// A Server cannot be had.
type Server struct{}

func Listen(string, map[string]Method, Options) (*Server, error) { return nil, errNeedsLinux }
func Remove(string) error                                        { return nil }
func Ask(_ context.Context, path, _ string, _, _ any) error {
	return &UnreachableError{Path: path, Err: errNeedsLinux}
}
func AskPID(_ context.Context, path string, _ int, _ string, _, _ any) error {
	return &UnreachableError{Path: path, Err: errNeedsLinux}
}
func AskProven(_ context.Context, path string, _ int, _ string, _, _ any) error {
	return &UnreachableError{Path: path, Err: errNeedsLinux}
}
func Follow(_ context.Context, path string, _ int, _ string, _ any, _ func(json.RawMessage, int) error) error {
	return &UnreachableError{Path: path, Err: errNeedsLinux}
}
func (s *Server) Close()                                      {}
func (s *Server) Unwatch()                                    {}
func (s *Server) EndWatch() int                               { return -1 }
func (s *Server) SetReaders(*int)                             {}
func (s *Server) Handover() ([2]int, error)                   { return [2]int{-1, -1}, errNeedsLinux }
func (f *Follower) Send(any) error                            { return errNeedsLinux }
func (f *Follower) SendEncoded(json.RawMessage) error         { return errNeedsLinux }
func (f *Follower) Put(json.RawMessage) error                 { return errNeedsLinux }
func (f *Follower) Flush() error                              { return errNeedsLinux }
func Defer(context.Context) (*Deferred, error)                { return nil, errNeedsLinux }
func (d *Deferred) Answer(any, error)                         {}
func Take(string, [2]int, map[string]Method, Options) *Server { return nil }

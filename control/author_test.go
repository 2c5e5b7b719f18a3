//go:build linux

package control

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
)

// promises A1, Q2: whoever looks for an asker where there is none finds nobody, and above all not root
func TestAskerOfNobody(t *testing.T) {
	if a := AskerOf(t.Context()); a.UID >= 0 {
		t.Errorf("it is %+v", a)
	}
}

// promises A1, Q1: an answer that can go nowhere is an error, and not asked for
func TestAnswerIntoNothing(t *testing.T) {
	path, asked := socket(t), 0
	listen(t, path, map[string]Method{"x": func(context.Context, json.RawMessage) (any, error) { asked++; return 5, nil }})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	n := 0
	for _, result := range []any{n, (*int)(nil), struct{}{}} {
		var unreachable *UnreachableError
		if err := Ask(ctx, path, "x", nil, result); err == nil || errors.As(err, &unreachable) {
			t.Errorf("into %T: %v", result, err)
		}
	}
	if err := Ask(ctx, path, "x", nil, &n); err != nil || n != 5 || asked != 1 {
		t.Errorf("%d, %v, asked %d times", n, err, asked)
	}
}

// promises A1, Q1: what is no line of a stream is refused, and cannot pass for several
func TestLinesThatAreNone(t *testing.T) {
	path := socket(t)
	s, err := Listen(path, nil, Options{Streams: map[string]Stream{
		"x": func(_ context.Context, _ json.RawMessage, to *Follower) error {
			const two = "{\"a\":1\n}"
			if to.SendEncoded(json.RawMessage(two)) == nil || to.Put(json.RawMessage(two)) == nil {
				return errors.New("two lines were taken")
			}
			return to.Send(json.RawMessage(two)) // marshalled, it has one
		}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	said := ""
	err = Follow(ctx, path, 0, "x", nil, func(line json.RawMessage, _ int) error { said += string(line); return nil })
	if err != nil || said != `{"a":1}` {
		t.Errorf("%q, %v", said, err)
	}
}

// promise A1: an error that is a nil *Error is none
func TestErrorThatIsNil(t *testing.T) {
	path := socket(t)
	listen(t, path, map[string]Method{"x": func(context.Context, json.RawMessage) (any, error) {
		var none *Error
		return 5, none
	}})
	if said, err := ask(t, path, "x"); said != "5" || err != nil {
		t.Errorf("%q, %v", said, err)
	}
}

// promise A1: a path that would mean another one in another directory is refused
func TestRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	if s, err := Listen("x.sock", nil, Options{}); err == nil {
		s.Close()
		t.Error("it listens")
	}
}

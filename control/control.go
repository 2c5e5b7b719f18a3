// Package control asks a daemon, and answers.
//
// A daemon listens on a unix socket beside its pidfile ([Path]). Who asks sends JSON-RPC 2.0 requests, one
// object a line, and gets an answer, one object a line, to each in its order; a request without an id is carried
// out and not answered. So
//
//	echo '{"jsonrpc":"2.0","id":1,"method":"status"}' | nc -UN /run/keepalivedd.sock
//
// is enough to ask. A [Stream] answers with more than one line: notifications, the method's name and what there is
// to tell as their params, until the asker leaves, the stream is over or the daemon ends, and then, unless the
// asker has left, the answer:
//
//	{"jsonrpc":"2.0","method":"events","params":{"program":"web","state":"up"}}
//	{"jsonrpc":"2.0","method":"lost","params":{"lines":3}}
//	{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"the daemon is stopping"}}
//
// The second says that the asker has been too slow, and in whose place that many lines are missing. What else the asker
// sends is read when the stream is over. A stream asked for without an id has nothing to say.
//
// Only root and the daemon's own user are served, and members of a group, where there is one, with what only reads:
// the socket's mode says so, and SO_PEERCRED and SO_PEERGROUPS where that could be got round. What a daemon is
// asked costs it a goroutine for as long as the question lasts, a stream two more, within bounds: there are 64
// places, of which streams have half, and members of the group have half of both. A call that goes on though its asker
// has left has none any more; of each method there are 16 such, and then no other. Nothing that a stranger does costs
// it anything. Linux only.
package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// The bounds of a [Server], and of what [Ask] believes.
const (
	mostConnections = 64
	mostStreams     = mostConnections / 2 // the others are for questions
	longestRequest  = 64 << 10
	slowestRequest  = 2 * time.Second        // for the whole of its line
	unnoticed       = time.Second            // that an asker has left
	longestAnswer   = 64 << 20               // what 50,000 programs have to tell is half of that
	slowestReader   = 10 * time.Second       // of an answer
	slowestAtTheEnd = 100 * time.Millisecond // one that has paused does not keep the daemon
)

// Path returns where the daemon that holds pidfile listens: /run/x.sock for /run/x.pid, and for /run/x.
func Path(pidfile string) string { return strings.TrimSuffix(pidfile, ".pid") + ".sock" }

// A Method carries out a request; each call has a goroutine of its own, several at once. What it returns is marshalled
// as the result; an error that is not an *[Error] becomes one with CodeInternal. ctx ends when the server is closed,
// and soon after the asker has left; [AskerOf] tells from it who asks. params are nil when there are none, see
// [Params]. One that panics ends the process, as any goroutine does.
type Method func(ctx context.Context, params json.RawMessage) (any, error)

// A Stream answers with a series of lines: one for each [Follower.Send], and when it returns, or the server is closed,
// the answer to the request itself, with the error if there is one. It has a goroutine of its own, and ctx ends when
// the asker has left or the server is closed: a Stream has to return then. It changes nothing, and so is for all who
// may ask. Its name is not "lost", which is that of the line about lost ones.
type Stream func(ctx context.Context, params json.RawMessage, to *Follower) error

// Options of [Listen]; the zero value works.
type Options struct {
	Log *slog.Logger // when the socket was put back, or cannot be; nil: slog.Default()

	// Reads are methods that change nothing, and Streams do not either: members of the group Readers may ask
	// for them too. nil is no group. Of the same name, a method of Listen's counts before one of Reads, and
	// that before a Stream.
	Reads   map[string]Method
	Streams map[string]Stream
	Readers *int
	// Again are other methods that whoever is cut off by [Server.Handover] may simply ask for again, as for those of
	// Reads.
	Again []string
}

// Error is what a daemon answers in the place of a result.
type Error struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Codes of an [Error]: the protocol's own, and ours.
const (
	CodeParse     = -32700 // not JSON
	CodeInvalid   = -32600 // not a request, a batch, or too long
	CodeMethod    = -32601 // no such method
	CodeParams    = -32602 // wrong ones, see [Params]
	CodeInternal  = -32603 // the method failed
	CodeRefused   = -32000 // it was looked at, and nothing was done
	CodeStopping  = -32001 // the daemon is about to end
	CodeBusy      = -32002 // too many are being served
	CodeForbidden = -32003 // the asker is neither root nor the daemon's own user
	CodeAgain     = -32004 // the daemon is being replaced, and has not begun, or it does no harm: ask again, as Ask does
	CodeCutOff    = -32005 // the daemon is being replaced, and may have begun: look, and ask again
)

// Params decodes the parameters of a request into what v points to; none are what that says already. A wrong one is an
// *[Error], with CodeParams, and so is one that v does not have: what was meant to bound the request, misspelt, is not
// to be passed over. So who asks with a parameter that is new has to be ready for a daemon of before.
func Params(raw json.RawMessage, v any) error {
	if len(raw) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &Error{Code: CodeParams, Message: "wrong parameters: " + err.Error()}
	}
	return nil
}

// Deferred is a request that is answered by other means than the return of its [Method], perhaps by another program.
type Deferred struct {
	FD int             `json:"fd"`           // close-on-exec
	ID json.RawMessage `json:"id,omitempty"` // nil: of a request that is not answered
}

// UnreachableError is every error of [Ask] but an answer: the daemon could not be asked, or what it said did not come.
// One for want of time is a [context.DeadlineExceeded] too.
type UnreachableError struct {
	Path string
	Sent bool // the question has reached the daemon's queue: it may be carried out yet
	Err  error
}

func (e *UnreachableError) Error() string {
	if errors.Is(e.Err, context.DeadlineExceeded) {
		return e.Path + ": there was no answer in time"
	}
	return fmt.Sprintf("%s: %v", e.Path, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// An Asker is who has connected. PID is 0 when it is out of sight, in another PID namespace.
type Asker struct{ PID, UID int }

type askerKey struct{}

// AskerOf returns who asks, from the context of a [Method] or a [Stream], or one that is derived from that. Of any
// other it is nobody, with the UID -1.
func AskerOf(ctx context.Context) Asker {
	a, is := ctx.Value(askerKey{}).(Asker)
	if !is {
		a.UID = -1
	}
	return a
}

//go:build linux

package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
)

// request is one that has been understood.
type request struct {
	id     json.RawMessage // nil: a notification, which is not answered
	method string
	params json.RawMessage
}

var null = json.RawMessage("null")

// parse understands a line. A *Error is to be answered under the id of the request, which is null where that could not
// be told. Members are told apart by their exact names, as JSON has it, not as encoding/json would into a struct.
func parse(line []byte) (r request, err *Error) {
	r.id = null
	var m map[string]json.RawMessage
	if e := json.Unmarshal(line, &m); e != nil {
		var typed *json.UnmarshalTypeError
		if errors.As(e, &typed) {
			return r, &Error{Code: CodeInvalid, Message: "a request is one object; there are no batches"}
		}
		return r, &Error{Code: CodeParse, Message: "not JSON: " + e.Error()}
	}
	id, asked := m["id"]
	switch {
	case !asked:
	case id[0] == '"', id[0] == '-', id[0] >= '0' && id[0] <= '9', string(id) == "null":
		r.id = id
	default:
		return r, &Error{Code: CodeInvalid, Message: "an id is a string or a number"}
	}
	if v, ok := text(m["jsonrpc"]); !ok || v != "2.0" {
		return r, &Error{Code: CodeInvalid, Message: `not a request of JSON-RPC: "jsonrpc":"2.0" is missing`}
	}
	method, ok := text(m["method"])
	if !ok {
		return r, &Error{Code: CodeInvalid, Message: "the method is missing, or no string"}
	}
	if p := m["params"]; len(p) > 0 && p[0] != '{' && p[0] != '[' {
		return r, &Error{Code: CodeInvalid, Message: "params are an object or an array"}
	}
	r.method, r.params = method, m["params"]
	if !asked {
		r.id = nil
	}
	return r, nil
}

func text(raw json.RawMessage) (s string, ok bool) {
	ok = len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &s) == nil
	return s, ok
}

// call is what can be asked for: a method or a stream.
type call struct {
	method Method
	stream Stream
	reads  bool
	again  bool // see Options
}

func callsOf(methods map[string]Method, o Options) map[string]call {
	calls := make(map[string]call, len(methods)+len(o.Reads)+len(o.Streams))
	for name, stream := range o.Streams {
		calls[name] = call{stream: stream, reads: true}
	}
	for name, method := range o.Reads {
		calls[name] = call{method: method, reads: true}
	}
	for name, method := range methods {
		calls[name] = call{method: method, again: slices.Contains(o.Again, name)}
	}
	return calls
}

// What the context of a method knows: its connection, and the id of its request.
type (
	connKey struct{}
	idKey   struct{}
)

// answer carries out a line, of somebody who reads only or may do all, and returns the line to answer with; nil: none.
// A stream is returned, for the caller to carry out; without an id it would have nothing to say.
func answer(ctx context.Context, line []byte, calls map[string]call, reads bool) (said []byte, stream *request) {
	r, wrong := parse(line)
	if wrong != nil {
		return encode(r.id, nil, wrong), nil
	}
	call := calls[r.method]
	switch {
	case call.method == nil && call.stream == nil:
		return encode(r.id, nil, &Error{Code: CodeMethod, Message: fmt.Sprintf("no such method: %.100q", r.method)}), nil
	case reads && !call.reads:
		said := fmt.Sprintf("%s: only root and uid %d may, and members of the group may read", r.method, os.Geteuid())
		return encode(r.id, nil, &Error{Code: CodeForbidden, Message: said}), nil
	case call.method != nil:
		if x, is := ctx.Value(connKey{}).(*serving); is {
			if begins, err := x.begins(r.method, call.reads || call.again); err != nil {
				return encode(r.id, nil, err), nil
			} else if !begins {
				return nil, nil
			}
		}
		result, err := call.method(context.WithValue(ctx, idKey{}, r.id), r.params)
		return encode(r.id, result, err), nil
	case r.id != nil:
		return nil, &r
	}
	return nil, nil
}

// refusal is what goes over the wire in the place of a result.
type refusal struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Error   *Error          `json:"error"`
}

func encode(id json.RawMessage, result any, failed error) []byte {
	if id == nil {
		return nil
	}
	if told, is := failed.(*Error); is && told == nil {
		failed = nil
	}
	var said json.RawMessage
	if failed == nil {
		said, failed = json.Marshal(result)
	}
	if len(said) > longestAnswer-longestRequest {
		failed = fmt.Errorf("the answer would have %d bytes, and may have %d", len(said), longestAnswer-longestRequest)
	}
	if failed == nil { // it may be long, and is not gone through again
		line := make([]byte, 0, len(said)+len(id)+64)
		line = append(append(append(line, `{"jsonrpc":"2.0","id":`...), id...), `,"result":`...)
		return append(append(line, said...), '}', '\n')
	}
	r := refusal{Version: "2.0", ID: id}
	if !errors.As(failed, &r.Error) {
		r.Error = &Error{Code: CodeInternal, Message: failed.Error()}
	}
	line, err := json.Marshal(r)
	if err != nil { // Data that is no JSON
		return encode(id, nil, &Error{Code: CodeInternal, Message: err.Error()})
	}
	return append(line, '\n')
}

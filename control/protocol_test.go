//go:build linux

package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

var testMethods = map[string]Method{
	"echo": func(_ context.Context, params json.RawMessage) (any, error) { return params, nil },
	"none": func(context.Context, json.RawMessage) (any, error) { return nil, nil },
	"fail": func(context.Context, json.RawMessage) (any, error) { return nil, errors.New("no <luck>") },
	"refuse": func(context.Context, json.RawMessage) (any, error) {
		return nil, &Error{Code: CodeRefused, Message: "no", Data: json.RawMessage(`{"line":3}`)}
	},
	"wrong": func(_ context.Context, params json.RawMessage) (any, error) {
		var p struct{ Flag bool }
		return nil, Params(params, &p)
	},
	"huge":      func(context.Context, json.RawMessage) (any, error) { return strings.Repeat("x", longestAnswer), nil },
	"unspoken":  func(context.Context, json.RawMessage) (any, error) { return make(chan int), nil },
	"unspoken2": func(context.Context, json.RawMessage) (any, error) { return nil, &Error{Data: json.RawMessage("{")} },
}

var testStreams = map[string]Stream{
	"follow": func(_ context.Context, params json.RawMessage, to *Follower) error { return to.Send(params) },
}

var testCalls = callsOf(testMethods, Options{
	Reads:   map[string]Method{"read": testMethods["none"], "echo": testMethods["none"]},
	Streams: testStreams,
})

// issue 7.A3: JSON-RPC 2.0, to the letter
func TestProtocol(t *testing.T) {
	const failed = `{"jsonrpc":"2.0","id":`
	for _, test := range []struct{ asked, want string }{
		{`{"jsonrpc":"2.0","id":1,"method":"none"}`, `{"jsonrpc":"2.0","id":1,"result":null}`},
		{`{"jsonrpc":"2.0","id":"a","method":"echo","params":{"b":[1]}}`, `{"jsonrpc":"2.0","id":"a","result":{"b":[1]}}`},
		{` { "jsonrpc" : "2.0" , "id" : -1.5 , "method" : "echo" , "params" : [ ] } ` + "\r",
			`{"jsonrpc":"2.0","id":-1.5,"result":[]}`},
		{`{"jsonrpc":"2.0","id":null,"method":"none"}`, `{"jsonrpc":"2.0","id":null,"result":null}`},
		{`{"jsonrpc":"2.0","id":1,"method":"none","more":1}`, `{"jsonrpc":"2.0","id":1,"result":null}`},
		// notifications
		{`{"jsonrpc":"2.0","method":"none"}`, ``},
		{`{"jsonrpc":"2.0","method":"nothing"}`, ``},
		{`{"jsonrpc":"2.0","method":"fail"}`, ``},
		// not requests
		{``, failed + `null,"error":{"code":-32700,`},
		{`hello`, failed + `null,"error":{"code":-32700,`},
		{`{"jsonrpc":"2.0","id":1,"method":"none"`, failed + `null,"error":{"code":-32700,`},
		{`{"jsonrpc":"2.0","id":1,"method":"none"}{}`, failed + `null,"error":{"code":-32700,`},
		{`[]`, failed + `null,"error":{"code":-32600,`},
		{`[{"jsonrpc":"2.0","id":1,"method":"none"}]`, failed + `null,"error":{"code":-32600,`},
		{`1`, failed + `null,"error":{"code":-32600,`},
		{`null`, failed + `null,"error":{"code":-32600,`},
		{`{"id":1,"method":"none"}`, failed + `1,"error":{"code":-32600,`},
		{`{"jsonrpc":"1.0","id":1,"method":"none"}`, failed + `1,"error":{"code":-32600,`},
		{`{"jsonrpc":2.0,"id":1,"method":"none"}`, failed + `1,"error":{"code":-32600,`},
		{`{"jsonrpc":"2.0","id":1}`, failed + `1,"error":{"code":-32600,`},
		{`{"jsonrpc":"2.0","id":1,"method":2}`, failed + `1,"error":{"code":-32600,`},
		{`{"jsonrpc":"2.0","id":1,"Method":"none"}`, failed + `1,"error":{"code":-32600,`},
		{`{"jsonrpc":"2.0","id":[1],"method":"none"}`, failed + `null,"error":{"code":-32600,`},
		{`{"jsonrpc":"2.0","id":true,"method":"none"}`, failed + `null,"error":{"code":-32600,`},
		{`{"jsonrpc":"2.0","id":1,"method":"none","params":1}`, failed + `1,"error":{"code":-32600,`},
		{`{"jsonrpc":"2.0","method":3}`, failed + `null,"error":{"code":-32600,`},
		// a method before a reading one of its name, and streams; one without an id has nobody to talk to
		{`{"jsonrpc":"2.0","id":1,"method":"read"}`, `{"jsonrpc":"2.0","id":1,"result":null}`},
		{`{"jsonrpc":"2.0","id":"x","method":"follow","params":[]}`, `a stream: "x"`},
		{`{"jsonrpc":"2.0","method":"follow"}`, ``},
		// requests that come to nothing
		{`{"jsonrpc":"2.0","id":1,"method":"nothing"}`,
			failed + `1,"error":{"code":-32601,"message":"no such method: \"nothing\""}}`},
		{`{"jsonrpc":"2.0","id":1,"method":"wrong","params":{"Flag":1}}`, failed + `1,"error":{"code":-32602,`},
		{`{"jsonrpc":"2.0","id":1,"method":"wrong","params":[1]}`, failed + `1,"error":{"code":-32602,`},
		{`{"jsonrpc":"2.0","id":1,"method":"wrong","params":{"dryrun":true}}`, failed + `1,"error":{"code":-32602,`},
		{`{"jsonrpc":"2.0","id":1,"method":"wrong","params":{"flag":true}}`, `{"jsonrpc":"2.0","id":1,"result":null}`},
		{`{"jsonrpc":"2.0","id":1,"method":"fail"}`, failed + `1,"error":{"code":-32603,"message":"no \u003cluck\u003e"}}`},
		{`{"jsonrpc":"2.0","id":1,"method":"refuse"}`,
			failed + `1,"error":{"code":-32000,"message":"no","data":{"line":3}}}`},
		{`{"jsonrpc":"2.0","id":1,"method":"huge"}`, failed + `1,"error":{"code":-32603,"message":"the answer would have`},
		{`{"jsonrpc":"2.0","id":1,"method":"unspoken"}`, failed + `1,"error":{"code":-32603,`},
		{`{"jsonrpc":"2.0","id":1,"method":"unspoken2"}`, failed + `1,"error":{"code":-32603,`},
	} {
		said, follow := answer(t.Context(), []byte(test.asked), testCalls, false)
		if follow != nil {
			said = []byte("a stream: " + string(follow.id))
		}
		got := string(said)
		whole := strings.TrimSuffix(got, "\n")
		if !strings.HasPrefix(got, test.want) || test.want == "" && got != "" ||
			strings.HasSuffix(test.want, "}") && whole != test.want {
			t.Errorf("%s\n got %.200s\nwant %s", test.asked, got, test.want)
		}
	}
}

// issue 7.A3: whatever is asked, what is answered is nothing or one line that is a response.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"echo","params":{"a":null}}`, `{"jsonrpc":"2.0","method":"none"}`, `[]`,
		`[[[[`, ``, "\x00", `{"jsonrpc":"2.0","id":"\ud800","method":"echo","params":["\u2028"]}`,
		`{"jsonrpc":"2.0","id":1e999,"method":"fail"}`, "\xff", `{"jsonrpc":"2.0","id":1,"method":"follow"}`,
		`{"id":1,"id":{},"method":"none","jsonrpc":"2.0"}`,
		`{"jsonrpc":"2.0","id":-0,"method":"refuse","params":null}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		said, follow := answer(t.Context(), line, testCalls, len(line)%2 == 0)
		if follow != nil {
			if said != nil || follow.id == nil {
				t.Fatalf("%q to %q, which is a stream", said, line)
			}
			return
		}
		if said == nil {
			var m map[string]json.RawMessage
			if json.Unmarshal(line, &m) != nil || m["id"] != nil {
				t.Fatalf("no answer to %q", line)
			}
			return
		}
		if bytes.IndexByte(said, '\n') != len(said)-1 {
			t.Fatalf("not one line: %q", said)
		}
		var r struct {
			Version string          `json:"jsonrpc"`
			ID      json.RawMessage `json:"id"`
			Result  json.RawMessage `json:"result"`
			Error   *Error          `json:"error"`
		}
		if err := json.Unmarshal(said, &r); err != nil {
			t.Fatalf("%q to %q: %v", said, line, err)
		}
		if r.Version != "2.0" || len(r.ID) == 0 || (r.Result != nil) == (r.Error != nil) ||
			r.Error != nil && r.Error.Code == 0 && r.Error.Data != nil {
			t.Fatalf("%q to %q", said, line)
		}
	})
}

// issue 9: a long answer is handed on as it came, and is the same as one that is taken apart; an error is one in both.
func TestRawAnswer(t *testing.T) {
	for _, asked := range []string{`"method":"echo","params":{"a":["}",null]}`, `"method":"none"`, `"method":"fail"`,
		`"method":"refuse"`, `"method":"gone"`} {
		said, _ := answer(t.Context(), []byte(`{"jsonrpc":"2.0","id":1,`+asked+"}"), testCalls, false)
		if said == nil {
			t.Fatal(asked)
		}
		heard := func(result any) error {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			w.Write(said)
			w.Close()
			return hear(r, result)
		}
		var raw json.RawMessage
		var value any
		err, err2 := heard(&raw), heard(&value)
		if fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Errorf("%s: %v and %v", asked, err, err2)
		}
		var of any
		if err == nil && (json.Unmarshal(raw, &of) != nil || !reflect.DeepEqual(of, value)) {
			t.Errorf("%s: %s", asked, raw)
		}
	}
}

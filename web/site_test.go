package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepalivedd/keepalivedd/control"
)

const evil = "<img src=x onerror=alert(1)>\"'\x1b[2J\u202e"

// daemon is one that tells of three programs, and what it has been told; without lines when it is not to have any.
func daemon(t *testing.T, lines bool, says string) (s *site, told chan string) {
	t.Helper()
	told = make(chan string, 10)
	now := time.Now()
	web := map[string]any{"name": "web", "state": "up", "pid": 1044, "starts": 1, "started": now.Add(-51 * time.Hour),
		"since": now.Add(-51 * time.Hour), "held": map[string]any{"uid": 1000, "since": now},
		"cpu_seconds": 81.5, "memory_bytes": 46 << 20, "text": says, "exits": map[string]int{"failed": 0},
		"definition": map[string]any{"command": []string{"/usr/sbin/webd", "-f", "/etc/web.conf"}, "user": "www-data",
			"directory": "/srv/web", "after": []string{"db"}}}
	programs := []any{
		map[string]any{"name": "db", "state": "up", "pid": 1043, "starts": 2, "started": now.Add(-5 * time.Minute),
			"cpu_seconds": 4.2, "memory_bytes": 93 << 20},
		map[string]any{"name": "mail-queue-of-the-other-department", "state": "backoff", "starts": 4,
			"next": now.Add(3 * time.Second), "why": "exited with status 3 after 59ms"},
		web,
	}
	o := control.Options{Log: slog.New(slog.DiscardHandler), Reads: map[string]control.Method{
		"metrics": func(context.Context, json.RawMessage) (any, error) { return map[string]string{"text": "up 1\n"}, nil },
		"status": func(_ context.Context, raw json.RawMessage) (any, error) {
			var q params
			err := control.Params(raw, &q)
			of := programs
			if len(q.Programs) > 0 && (q.Programs[0] == "web" || q.Programs[0] == "w*") {
				of = []any{web}
			} else if len(q.Programs) > 0 {
				err = &control.Error{Code: control.CodeParams, Message: "there is no program " + q.Programs[0]}
			}
			return map[string]any{"state": "running", "pid": 1042, "time": time.Now(), "programs": of}, err
		}}}
	logs := func(ctx context.Context, raw json.RawMessage, to *control.Follower) error {
		to.Send(line{Time: now, Text: "GET /orders 200, 3 ms"})
		to.Send(map[string]int{"lost": 7})
		to.Send(line{Time: now, Text: cmp.Or(says, string(raw)), Stderr: true})
		<-ctx.Done()
		return nil
	}
	if lines {
		o.Streams = map[string]control.Stream{"logs": logs}
	}
	down := func(_ context.Context, raw json.RawMessage) (any, error) {
		told <- string(raw)
		return map[string]any{"programs": []outcome{{true, "down", ""}}}, nil
	}
	up := func(context.Context, json.RawMessage) (any, error) {
		return map[string]any{"programs": []outcome{{false, "backoff", "it was killed by SIGKILL"}}}, nil
	}
	refused := func(context.Context, json.RawMessage) (any, error) {
		return nil, &control.Error{Code: control.CodeRefused, Message: "it is <b>required</b>"}
	}
	path := filepath.Join(t.TempDir(), "x.sock")
	server, err := control.Listen(path, map[string]control.Method{"up": up, "down": down, "restart": refused}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return &site{socket: path}, told
}

func ask(t *testing.T, s *site, method, path string, header ...string) (int, string, http.Header) {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	r.Host = "127.0.0.1:9650"
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	w := httptest.NewRecorder()
	s.handler().ServeHTTP(w, r)
	return w.Code, w.Body.String(), w.Header()
}

// issue 9.8: who may see what, and do what
func TestAnswers(t *testing.T) {
	s, told := daemon(t, false, evil)
	open := &site{socket: s.socket, control: true, hosts: []string{"ops.example"}}
	locked := &site{socket: s.socket, password: "secret"}
	gone := &site{socket: filepath.Join(t.TempDir(), "none")}
	for _, test := range []struct {
		of           *site
		method, path string
		header       []string
		code         int
		want         string
	}{
		{s, "GET", "/", nil, 200, `<a id="/program/web" href="/program/web">web</a>`},
		{s, "GET", "/program/web", nil, 200, "held by uid 1000 for "},
		{s, "GET", "/program/w*", nil, 404, "there is no program w*"},
		{s, "GET", "/program/%3Cb%3E", nil, 404, "there is no program &lt;b&gt;"},
		{s, "GET", "/metrics", nil, 200, "up 1\n"},
		{s, "GET", "/program/web/lines", nil, 200, "this daemon has no logs"},
		{s, "GET", "/program/web/lines", []string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		{gone, "GET", "/", nil, 502, "connect: "},
		{gone, "GET", "/metrics", nil, 502, "connect: "},
		{s, "GET", "/", []string{"Host", "LocalHost"}, 200, "web"},
		{s, "GET", "/", []string{"Host", "[::1]:80"}, 200, "web"},
		{s, "GET", "/", []string{"Host", "evil.example:9650"}, 421, "--host"},
		{s, "GET", "/metrics", []string{"Host", "127.0.0.1.evil.example"}, 421, "--host"},
		{s, "GET", "/", []string{"Host", ""}, 421, "--host"},
		{open, "GET", "/", []string{"Host", "ops.example"}, 200, "web"},
		{locked, "GET", "/", nil, 401, "password"},
		{locked, "GET", "/metrics", []string{"Authorization", "Basic Ondyb25n"}, 401, "password"},
		{locked, "GET", "/", []string{"Authorization", "Basic OnNlY3JldA=="}, 200, "web"},
		{s, "POST", "/program/web/down", nil, 404, ""},
		{open, "GET", "/program/web/down", nil, 405, ""},
		{open, "POST", "/program/web/status", nil, 404, ""},
		{open, "POST", "/program/w*/down", nil, 404, "there is no program w*"},
		{open, "POST", "/program/web/down", []string{"Sec-Fetch-Site", "cross-site"}, 403, ""},
		{open, "POST", "/program/web/down", []string{"Sec-Fetch-Site", "same-site"}, 403, ""},
		{open, "POST", "/program/web/down", []string{"Origin", "http://127.0.0.1:81"}, 403, ""},
		{open, "POST", "/program/web/down", []string{"Origin", "null"}, 403, ""},
		{open, "POST", "/program/web/restart", nil, 502, "restart: it is &lt;b&gt;required&lt;/b&gt;"},
		{open, "POST", "/program/web/up", nil, 502, "up: it is backoff: it was killed by SIGKILL"},
	} {
		code, body, header := ask(t, test.of, test.method, test.path, test.header...)
		if code != test.code || !strings.Contains(body, test.want) {
			t.Errorf("%s %s %q: %d %s", test.method, test.path, test.header, code, body)
		}
		if strings.Contains(body, "<img") || strings.ContainsAny(body, "\x1b\u202e") ||
			strings.Contains(body, "<form") != (test.of == open && strings.Contains(body, "<dl>")) ||
			!strings.HasPrefix(header.Get("Content-Security-Policy"), "default-src 'none'; ") {
			t.Errorf("%s %s: %q %v", test.method, test.path, body, header)
		}
	}
	if len(told) > 0 {
		t.Errorf("it was told %s", <-told)
	}
	code, _, header := ask(t, open, "POST", "/program/web/down", "Origin", "http://127.0.0.1:9650", "Sec-Fetch-Site",
		"same-origin")
	if code != 303 || header.Get("Location") != "/program/web" || <-told != `{"programs":["web"]}` {
		t.Error(code, header)
	}
}

// issue 9.8: many who follow leave places to others, and give theirs back
func TestManyFollow(t *testing.T) {
	s, _ := daemon(t, true, "")
	server := httptest.NewServer(s.handler())
	defer server.Close()
	follow := func() (*http.Response, string) {
		r, err := http.Get(server.URL + "/program/web/lines")
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		for in := bufio.NewScanner(r.Body); !strings.Contains(said, "follow") && in.Scan(); {
			said += in.Text() + "\n"
		}
		return r, said
	}
	for range cap(s.streams) {
		r, said := follow()
		defer r.Body.Close()
		if !strings.HasPrefix(said, "event: line\n") || !strings.Contains(said,
			`"{\"programs\":[\"web\"],\"follow\":true,\"lines\":1000}"`) {
			t.Error(said)
		}
	}
	if _, said := follow(); !strings.Contains(said, "too many") {
		t.Error(said)
	}
	server.CloseClientConnections()
	for range cap(s.streams) {
		s.streams <- struct{}{} // each ends when its asker has left
	}
}

// issue 9.8: who asks for a page and does not read it has a connection no longer than a button may take
func TestNobodyReads(t *testing.T) {
	s := &site{}
	server := s.server(t.Context())
	server.WriteTimeout /= 1000
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, err := w.Write(nil); err == nil; {
			_, err = w.Write(make([]byte, 1<<20))
		}
	})
	closed := make(chan struct{})
	server.ConnState = func(_ net.Conn, now http.ConnState) {
		if now == http.StateClosed {
			close(closed)
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(ln)
	defer server.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Fatal("it has it still")
	}
}

package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/keepalivedd/keepalivedd/control"
)

//go:embed page.html live.js style.css
var files embed.FS

// site is what is served.
type site struct {
	socket   string
	hosts    []string // names of ours beside those of loopback
	password string   // empty: none is asked for
	control  bool

	page          *template.Template
	asks, streams chan struct{} // held by who asks and who follows: a flood of either takes few of the daemon's places
}

// verbs are what a program may be told.
func (s *site) verbs() []string {
	if s.control {
		return []string{"up", "down", "restart"}
	}
	return nil
}

func (s *site) handler() http.Handler {
	s.page = template.Must(template.ParseFS(files, "page.html"))
	s.asks, s.streams = make(chan struct{}, 4), make(chan struct{}, 8)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { s.show(w, r, nil) })
	mux.HandleFunc("GET /program/{name}", func(w http.ResponseWriter, r *http.Request) { s.show(w, r, nil) })
	mux.HandleFunc("GET /program/{name}/lines", s.lines)
	mux.HandleFunc("GET /metrics", s.metrics)
	mux.Handle("GET /live.js", http.FileServerFS(files))
	mux.Handle("GET /style.css", http.FileServerFS(files))
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})
	for _, verb := range s.verbs() {
		mux.HandleFunc("POST /program/{name}/"+verb, func(w http.ResponseWriter, r *http.Request) { s.carryOut(w, r, verb) })
	}
	return s.guard(http.NewCrossOriginProtection().Handler(mux))
}

// guard turns away who must not ask. What we are called is looked at because another site's name may have come to mean
// 127.0.0.1 (DNS rebinding): its scripts are of the same origin as we are, then.
func (s *site) guard(next http.Handler) http.Handler {
	right := sha256.Sum256([]byte(s.password))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		host := strings.ToLower(r.Host)
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		_, password, _ := r.BasicAuth()
		given := sha256.Sum256([]byte(password))
		switch {
		case !loopback(strings.Trim(host, "[]")) && !slices.Contains(s.hosts, host):
			http.Error(w, "this name is not served: see --host", http.StatusMisdirectedRequest)
		case subtle.ConstantTimeCompare(given[:], right[:]) == 0 && s.password != "":
			h.Set("WWW-Authenticate", `Basic realm="keepalivedd", charset="UTF-8"`)
			http.Error(w, "there is a password", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func (s *site) ask(ctx context.Context, method string, params, result any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	select {
	case s.asks <- struct{}{}:
		defer func() { <-s.asks }()
		return control.Ask(ctx, s.socket, method, params, result)
	case <-ctx.Done():
		return ctx.Err()
	}
}

type params struct {
	Programs []string `json:"programs,omitempty"`
	Follow   bool     `json:"follow,omitempty"`
	Lines    int      `json:"lines,omitempty"` // of those that there are, the last
}

// find asks for all programs, or for the one of this name and for none that it would be a pattern of.
func (s *site) find(ctx context.Context, name string) (a status, err error) {
	if name == "" {
		return a, s.ask(ctx, "status", nil, &a)
	}
	err = s.ask(ctx, "status", params{Programs: []string{name}}, &a)
	a.Programs = slices.DeleteFunc(a.Programs, func(p program) bool { return p.Name != name })
	if err == nil && len(a.Programs) == 0 {
		err = &control.Error{Code: control.CodeParams, Message: "there is no program " + name}
	}
	return a, err
}

// show shows the table, or one program, and what has gone wrong.
func (s *site) show(w http.ResponseWriter, r *http.Request, failed error) {
	page := map[string]any{"Asked": r.PathValue("name"), "Path": "/", "Verbs": s.verbs()}
	if name := r.PathValue("name"); name != "" {
		page["Path"] = program{Name: name}.Path()
	}
	a, err := s.find(r.Context(), r.PathValue("name"))
	if page["Status"] = a; err != nil {
		page["Error"] = plain(err.Error())
	}
	if failed != nil {
		page["Failed"], err = plain(failed.Error()), failed
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if told := new(control.Error); errors.As(err, &told) && told.Code == control.CodeParams {
		w.WriteHeader(http.StatusNotFound)
	} else if err != nil {
		w.WriteHeader(http.StatusBadGateway)
	}
	s.page.Execute(w, page)
}

func (s *site) metrics(w http.ResponseWriter, r *http.Request) {
	var answer struct{ Text string }
	if err := s.ask(r.Context(), "metrics", nil, &answer); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	fmt.Fprint(w, answer.Text)
}

func (s *site) carryOut(w http.ResponseWriter, r *http.Request, verb string) {
	a, err := s.find(r.Context(), r.PathValue("name"))
	if err == nil {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Minute)
		defer cancel()
		var of struct{ Programs []outcome }
		err = control.Ask(ctx, s.socket, verb, params{Programs: []string{a.Programs[0].Name}}, &of)
		if i := slices.IndexFunc(of.Programs, func(o outcome) bool { return !o.Done }); i >= 0 {
			err = fmt.Errorf("it is %s: %s", of.Programs[i].State, of.Programs[i].Why)
		}
	}
	if err != nil {
		s.show(w, r, fmt.Errorf("%s: %w", verb, err))
		return
	}
	http.Redirect(w, r, a.Programs[0].Path(), http.StatusSeeOther)
}

// lines sends what a program writes as it does: as server-sent events, "line", "note", and "end", after which there is
// no use in asking again, as a browser does.
func (s *site) lines(w http.ResponseWriter, r *http.Request) {
	if from := r.Header.Get("Sec-Fetch-Site"); from != "" && from != "same-origin" && from != "none" {
		http.Error(w, "another site asks", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	say := func(event string, v any) error {
		data, _ := json.Marshal(v)
		out.SetWriteDeadline(time.Now().Add(30 * time.Second)) // who does not read keeps no place
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", event, data)
		return out.Flush()
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		say("note", "too many pages show lines: close some")
		return
	}
	a, err := s.find(r.Context(), r.PathValue("name"))
	if err == nil {
		out.Flush()
		which := params{Programs: []string{a.Programs[0].Name}, Follow: true, Lines: 1000}
		err = control.Follow(r.Context(), s.socket, 0, "logs", which, func(raw json.RawMessage, lost int) error {
			l := line{Lost: lost}
			if err := json.Unmarshal(raw, &l); err != nil && raw != nil {
				return err
			}
			if l.Lost > 0 {
				l.Note = fmt.Sprintf("%d lines are missing here", l.Lost)
			}
			if l.Note != "" {
				return say("note", plain(l.Note))
			}
			return say("line", []any{l.Time.Local().Format(time.TimeOnly), plain(l.Text), l.Stderr})
		})
	}
	told := new(control.Error)
	switch {
	case err == nil:
		say("note", "the lines have ended")
	case errors.As(err, &told) && told.Code == control.CodeMethod:
		say("end", "this daemon has no logs")
	case told.Code == control.CodeParams:
		say("end", plain(told.Message))
	default:
		say("note", plain(err.Error()))
	}
}

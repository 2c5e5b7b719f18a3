// Command keepalivedd-web shows the programs of a keepalivedd in a browser, on this machine: docs/web.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	s := &site{}
	flag.StringVar(&s.socket, "socket", "/run/keepalivedd.sock", "ask the daemon that listens there")
	flag.BoolVar(&s.control, "allow-control", false, "have buttons that bring programs up and down, and restart them")
	listen := flag.String("listen", "127.0.0.1:9650", "serve at this loopback `address`")
	hosts := flag.String("host", "", "go by these `names` too, with commas between, as behind a proxy")
	password := flag.String("password", "", "ask for the password that is in this `file`")
	flag.Parse()
	s.hosts = strings.FieldsFunc(strings.ToLower(*hosts), func(r rune) bool { return r == ',' })
	if err := s.serve(*listen, *password, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "keepalivedd-web: %v\n", err)
		os.Exit(1)
	}
}

// serve serves until TERM or INT.
func (s *site) serve(listen, password string, more []string) error {
	if host, _, err := net.SplitHostPort(listen); err != nil || !loopback(host) || len(more) > 0 {
		return fmt.Errorf("%q %q: it takes a loopback address with a port, and no arguments; see --help", listen, more)
	}
	if password != "" {
		text, err := os.ReadFile(password)
		if s.password = strings.TrimSpace(string(text)); err != nil || s.password == "" {
			return fmt.Errorf("there is no password in %s: %v", password, err)
		}
	} else if s.control {
		fmt.Fprintln(os.Stderr, "keepalivedd-web: every user of this machine can now stop programs: give it a --password")
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Printf("keepalivedd-web: serves http://%s\n", ln.Addr())
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	server := s.server(ctx)
	context.AfterFunc(ctx, func() { server.Close() })
	if err = server.Serve(ln); ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *site) server(ctx context.Context) *http.Server {
	return &http.Server{Handler: s.handler(), BaseContext: func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 3 * time.Minute, // longer than what a button does
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
}

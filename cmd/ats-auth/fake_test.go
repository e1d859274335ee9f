package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// fake starts a server that is not one of ours, by the name of what is wrong
// with it, and sets ATS_AUTH_URL.
func fake(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: fake KIND")
	}
	switch args[0] {
	case "down":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Setenv("ATS_AUTH_URL", "http://"+l.Addr().String())
		ts.Check(l.Close())
		return
	case "ssh":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				fmt.Fprint(c, "SSH-2.0-OpenSSH_9.2p1\r\n")
				_, _ = c.Read(make([]byte, 4096))
				_ = c.Close()
			}
		}()
		ts.Setenv("ATS_AUTH_URL", "http://"+l.Addr().String())
		ts.Defer(func() { _ = l.Close() })
		return
	}
	answer, ok := fakes[args[0]]
	if !ok {
		ts.Fatalf("no fake server %q", args[0])
	}
	start := httptest.NewServer
	if args[0] == "tls" {
		start = httptest.NewTLSServer
	}
	s := start(answer)
	s.Config.ErrorLog = nil
	ts.Setenv("ATS_AUTH_URL", s.URL)
	ts.Defer(s.Close)
}

var fakes = map[string]http.HandlerFunc{
	"html": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>Welcome to the proxy</body></html>")
	},
	"notfound": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<html><body>nginx</body></html>")
	},
	"broken": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, "<html><body>Traceback s3cre7</body></html>")
	},
	"redirect": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/elsewhere", http.StatusTemporaryRedirect)
	},
	"slow": func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is the end of the client seen
		<-r.Context().Done()
	},
	"tls": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
	"throttled": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "600")
		w.WriteHeader(http.StatusTooManyRequests)
	},
	"huge": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 3<<20)) },
	// An original server issues no jti and takes any logout.
	"original": func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/user/login":
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			fmt.Fprint(w, "{\n    \"token\": \""+seedToken+"\"\n}")
		case "/user/logout", "/user/logout_all":
			w.WriteHeader(http.StatusNoContent)
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "404: Not Found")
		}
	},
}

// seedToken is one that the original issued in 2015.
const seedToken = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE0NDY1NjQ2NDEuMDE2NzMyLCJzdWIiOiJtYXJjbyIsImlzcyI6ImF0cy5hdXRoIiwiZXhwIjoxNDQ2NTY4MjQxLjAxNjczMn0.3DWqx1J-DhaFbHurmALqAGkJbFGyKxTn_YTGUwk6KYo"

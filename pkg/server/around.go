package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/throttle"
	"github.com/ats-auth/ats-auth/pkg/token"
)

type (
	requestKey struct{}
	visitKey   struct{}
)

// visit is a request's context: it says what the request is called, and where it
// came from to whoever asks. It remembers what becomes known of the request.
type visit struct {
	context.Context
	server  *Server
	request *http.Request
	answer  watcher
	id      string
	door    int    // index in doorNames
	caller  string // who has proved to ask first; see issuer.Recorder
}

func (v *visit) source() string { return v.server.source(v.request) }

// Value is context.Context's.
func (v *visit) Value(key any) any {
	switch key.(type) {
	case requestKey:
		return v.id
	case dialect.SourceKey:
		return v.source()
	case visitKey:
		return v
	}
	return v.Context.Value(key)
}

// around does for every request what no door may forget: it gives it an id and
// a source, keeps a panic from the connection, counts it, and writes one line of
// log.
func (s *Server) around(doors http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		id := requestID(r)
		w.Header().Set("X-Request-Id", id)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		v := &visit{Context: r.Context(), server: s, request: r, answer: watcher{ResponseWriter: w}, id: id}
		abort := s.guard(doors, &v.answer, r.WithContext(v), id)
		took := time.Since(began)
		s.counts.answered(v.door, v.answer.sent(), took)
		if s.config.Log.Enabled(v, slog.LevelInfo) {
			s.config.Log.LogAttrs(v, slog.LevelInfo, "request",
				slog.String("method", maskPath(r.Method)), slog.String("path", maskPath(r.URL.EscapedPath())), slog.Int("status", v.answer.sent()),
				slog.Int64("bytes", v.answer.bytes), slog.Float64("ms", float64(took.Microseconds())/1000),
				slog.String("source", v.source()), slog.String("request_id", id), slog.String("traceparent", traceparent(r)))
		}
		if abort {
			panic(http.ErrAbortHandler)
		}
	})
}

// within bounds how many requests are served at once: many come over one connection of
// HTTP/2, and each may wait, for its body say.
func (s *Server) within(doors http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer s.serving.Add(-1)
		if s.serving.Add(1) > int64(s.config.MaxRequests) {
			w.Header().Set("Retry-After", "1")
			plain(w, http.StatusServiceUnavailable, "503: Service Unavailable")
			return
		}
		if r.ContentLength > dialect.MaxBody {
			w.Header().Set("Connection", "close")
			r.Body = tooLarge{r.Body}
		}
		doors.ServeHTTP(w, r)
	})
}

// tooLarge is a body that says itself that it is longer than any door takes: nothing of
// it is read, neither for the door, which answers as it does for any other, nor after.
type tooLarge struct{ io.Closer }

func (tooLarge) Read([]byte) (int, error) { return 0, &http.MaxBytesError{Limit: dialect.MaxBody} }

// guard serves a request and catches a panic. It reports whether the connection
// is to be broken: half an answer must not look like a whole one.
func (s *Server) guard(doors http.Handler, w *watcher, r *http.Request, id string) (abort bool) {
	defer func() {
		problem := recover()
		if problem == nil {
			return
		}
		abort = w.status != 0
		if err, ok := problem.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			abort = true
			return
		}
		s.config.Log.Error("panic", "request_id", id, "problem", fmt.Sprint(problem), "stack", string(debug.Stack()))
		if !abort {
			internal(w, id)
		}
	}()
	doors.ServeHTTP(w, r)
	return false
}

// watcher remembers what was answered.
type watcher struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *watcher) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK { // before it, there is more to come
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// sent is the status that the client sees, also where nothing was written.
func (r *watcher) sent() int { return cmp.Or(r.status, http.StatusOK) }

func (r *watcher) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (r *watcher) Unwrap() http.ResponseWriter { return r.ResponseWriter }

var (
	goodRequestID   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	goodTraceparent = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)
)

// requestID is the client's own X-Request-Id where it is harmless.
func requestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); id != "" && goodRequestID.MatchString(id) {
		return id
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" // as rand.Text has them
	drawn, id := [2]uint64{rand.Uint64(), rand.Uint64()}, [16]byte{}
	for i := range id {
		id[i] = letters[drawn[i/8]>>(i%8*5)&31]
	}
	return string(id[:])
}

// traceparent is passed into the log (W3C Trace Context), if it is one.
func traceparent(r *http.Request) string {
	if t := r.Header.Get("traceparent"); t != "" && goodTraceparent.MatchString(t) {
		return t
	}
	return ""
}

// maskPath keeps what may be a token out of the log, and anybody from filling
// it. A path comes here escaped: it can do nothing to the terminal of a reader.
func maskPath(path string) string {
	var masked []byte
	for segment := range strings.SplitSeq(path, "/") {
		if len(segment) > maxSegment {
			segment = "***"
		}
		if masked = append(append(masked, '/'), segment...); len(masked) > maxLogged+1 {
			return string(masked[1:maxLogged+1]) + "***"
		}
	}
	return string(masked[1:])
}

// What is longer is not logged as it is, in bytes.
const (
	maxSegment = 20
	maxLogged  = 200
)

// source is the address that the throttle counts: the peer's, or what the proxy
// in front says.
func (s *Server) source(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if s.config.BehindProxy {
		forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if last := strings.TrimSpace(forwarded[len(forwarded)-1]); last != "" {
			host = last
		}
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		// Some proxies add the port.
		withPort, err := netip.ParseAddrPort(host)
		if err != nil {
			return "unknown"
		}
		address = withPort.Addr()
	}
	return throttle.Source(address)
}

// fail answers an error that is no refusal.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, id := s.report(r, err)
	if status == http.StatusServiceUnavailable {
		if w.Header().Get("Retry-After") == "" {
			w.Header().Set("Retry-After", "1")
		}
		plain(w, status, "503: Service Unavailable")
		return
	}
	internal(w, id)
}

// report logs an error that is no refusal, and returns the status to answer with
// and the request's id.
func (s *Server) report(r *http.Request, err error) (status int, id string) {
	id, _ = r.Context().Value(requestKey{}).(string)
	switch {
	case r.Context().Err() != nil && errors.Is(err, context.Canceled):
		// The client may be there after all, and no answer would be a 200.
		s.config.Log.Debug("the request was given up", "request_id", id)
	case errors.Is(err, token.ErrUnavailable):
		s.config.Log.Error("a request cannot be answered now", "request_id", id, "error", err)
	default:
		s.config.Log.Error("internal error", "request_id", id, "error", err)
		return http.StatusInternalServerError, id
	}
	return http.StatusServiceUnavailable, id
}

func internal(w http.ResponseWriter, id string) {
	plain(w, http.StatusInternalServerError, "internal error, request id "+id)
}

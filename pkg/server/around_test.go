package server

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestTheRequestIDIsEchoedWhereItIsHarmlessElseReplaced(t *testing.T) {
	w := newWorld(t)
	for given, echoed := range map[string]bool{
		"abc-1.2_3": true, strings.Repeat("a", 64): true,
		"": false, strings.Repeat("a", 65): false, "a b": false, "a\"b": false, "é": false, "<script>": false,
	} {
		got := w.post("/user/check", "", "X-Request-Id", given).header.Get("X-Request-Id")
		if echoed != (got == given) || !regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`).MatchString(got) {
			t.Errorf("%q gave %q", given, got)
		}
		lines := w.log.lines(t, "request")
		if last := lines[len(lines)-1]; last["request_id"] != got {
			t.Errorf("the log has %v, the answer %q", last["request_id"], got)
		}
	}
}

func TestTheAccessLogTellsWhatHappenedAndNoSecret(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	a := w.login("marco")
	raw, refresh := a.member(t, "token"), a.member(t, "refresh_token")
	trace := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	w.post("/user/check", "", append(bearer(raw), "traceparent", trace)...)
	w.post("/user/check", "", append(bearer(raw[:len(raw)-1]), "traceparent", "evil\" x=1")...)
	w.post("/user/refresh", `{"refresh_token":"`+refresh+`"}`)
	w.post("/user/refresh", `{"refresh_token":"`+refresh[:len(refresh)-1]+`"}`)
	w.post("/user/login", `{"username":"marco","password":"a wrong secret"}`)
	w.post("/0.1/token/"+raw+"?token="+refresh, "")
	w.post("/0.1/token/6e7f4e46-5e2c-4a0a-9f4e-b7ad6b716920/x", "")
	w.post("/user/check?q=shh", "")
	lines := w.log.lines(t, "request")
	want := []struct {
		path   string
		status int
	}{
		{"/user/login", 200},
		{"/user/check", 200},
		{"/user/check", 401},
		{"/user/refresh", 200},
		{"/user/refresh", 401},
		{"/user/login", 401},
		{"/0.1/token/***", 404},
		{"/0.1/token/***/x", 404},
		{"/user/check", 401},
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d", len(lines), len(want))
	}
	for i, l := range lines {
		if l["method"] != "POST" || l["path"] != want[i].path || l["status"] != float64(want[i].status) || l["source"] != "127.0.0.1" || l["level"] != "INFO" {
			t.Errorf("line %v, want %v", l, want[i])
		}
	}
	if lines[1]["traceparent"] != trace || lines[2]["traceparent"] != "" {
		t.Errorf("traceparent %v, %v", lines[1]["traceparent"], lines[2]["traceparent"])
	}
	segments := strings.Split(raw, ".")
	for _, secret := range []string{testPassword, "a wrong secret", segments[1], segments[2], refresh[7:40], testSecret, "?token", "shh"} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// aroundOf puts a door of the test's own behind what every request passes.
func (w *world) aroundOf(door http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(w.server.around(door))
	w.Cleanup(s.Close)
	return s
}

func TestAPanicIsA500WithTheRequestIDAndItsStackStaysInside(t *testing.T) {
	w := newWorld(t)
	s := w.aroundOf(func(http.ResponseWriter, *http.Request) { panic("the vault is open") })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	w.do(err)
	r.Header.Set("X-Request-Id", "find-me")
	res, err := s.Client().Do(r)
	w.do(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	w.do(err)
	if res.StatusCode != http.StatusInternalServerError || !strings.Contains(string(body), "find-me") || res.Header.Get("X-Request-Id") != "find-me" {
		t.Errorf("%d %q", res.StatusCode, body)
	}
	for _, inside := range []string{"vault", "goroutine", ".go:"} {
		if strings.Contains(string(body), inside) {
			t.Errorf("the answer tells %q: %s", inside, body)
		}
	}
	if l := w.log.lines(t, "panic"); len(l) != 1 || l[0]["request_id"] != "find-me" || !strings.Contains(l[0]["stack"].(string), "around_test.go") {
		t.Errorf("the log: %v", l)
	}
	if l := w.log.lines(t, "request"); len(l) != 1 || l[0]["status"] != float64(500) {
		t.Errorf("the access log: %v", l)
	}
}

func TestAPanicInTheMiddleOfAnAnswerBreaksTheConnection(t *testing.T) {
	w := newWorld(t)
	s := w.aroundOf(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, `{"half":`)
		if err := http.NewResponseController(rw).Flush(); err != nil {
			t.Error(err)
		}
		panic("too late")
	})
	s.Config.ErrorLog = nil
	res, err := s.Client().Get(s.URL)
	w.do(err)
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the client takes %q for a whole answer: %v", body, err)
	}
	if l := w.log.lines(t, "panic"); len(l) != 1 {
		t.Errorf("the log: %v", l)
	}
}

func TestAnAnswerThatADoorAbortsIsNoPanic(t *testing.T) {
	w := newWorld(t)
	s := w.aroundOf(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if res, err := s.Client().Get(s.URL); err == nil {
		res.Body.Close()
		t.Errorf("an answer: %d", res.StatusCode)
	}
	if l := w.log.lines(t, "panic"); len(l) != 0 {
		t.Errorf("the log: %v", l)
	}
}

func TestTheAccessLogHasTheStatusThatWasSent(t *testing.T) {
	w := newWorld(t)
	for path, c := range map[string]struct {
		door   http.HandlerFunc
		status int
	}{
		"/nothing":     {func(http.ResponseWriter, *http.Request) {}, 200},
		"/early":       {func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(103); rw.WriteHeader(204) }, 204},
		"/body":        {func(rw http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(rw, "x") }, 200},
		"/twice":       {func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(401) }, 401},
		"/evil%0Aline": {func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(404) }, 404},
	} {
		recorder := httptest.NewRecorder()
		w.server.around(c.door).ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		lines := w.log.lines(t, "request")
		if got := lines[len(lines)-1]["status"]; got != float64(c.status) {
			t.Errorf("%s: logged %v, want %d", path, got, c.status)
		}
	}
}

func TestTheSourceIsThePeerUnlessAProxyIsConfigured(t *testing.T) {
	type header = []string
	for _, c := range []struct {
		proxy     bool
		peer      string
		forwarded header
		want      string
	}{
		{false, "192.0.2.1:1", nil, "192.0.2.1"},
		{false, "192.0.2.1:1", header{"198.51.100.1"}, "192.0.2.1"},
		{false, "[::ffff:192.0.2.1]:1", nil, "192.0.2.1"},
		{false, "[2001:db8::1:2:3:4]:1", nil, "2001:db8::/64"},
		{false, "@", nil, "unknown"},
		{true, "192.0.2.1:1", nil, "192.0.2.1"},
		{true, "192.0.2.1:1", header{"198.51.100.1"}, "198.51.100.1"},
		{true, "192.0.2.1:1", header{"6.6.6.6, 198.51.100.1"}, "198.51.100.1"},
		{true, "192.0.2.1:1", header{"6.6.6.6", "198.51.100.1"}, "198.51.100.1"},
		{true, "192.0.2.1:1", header{"6.6.6.6,"}, "192.0.2.1"},
		{true, "192.0.2.1:1", header{"nonsense"}, "unknown"},
		{true, "192.0.2.1:1", header{"198.51.100.1:4711"}, "198.51.100.1"},
		{true, "192.0.2.1:1", header{"[2001:db8::1]:4711"}, "2001:db8::/64"},
		{true, "192.0.2.1:1", header{"2001:db8::1"}, "2001:db8::/64"},
	} {
		s := &Server{config: Config{BehindProxy: c.proxy}}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		for _, f := range c.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		if got := s.source(r); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestGuessingFromOneAddressIsThrottledAndAForgedHeaderDoesNotHelp(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Attempts = 3 })
	w.addUser("marco")
	var last answer
	for i := range 4 {
		last = w.post("/user/login", `{"username":"marco","password":"wrong"}`, "X-Forwarded-For", "192.0.2."+string(rune('1'+i)))
	}
	w.want(last, http.StatusTooManyRequests, "the fourth try")
	if last.header.Get("Retry-After") == "" || last.header.Get("Retry-After") == "0" {
		t.Errorf("Retry-After %q", last.header.Get("Retry-After"))
	}
}

func TestALineOfTheAccessLogIsShortAndDoesNothingToATerminal(t *testing.T) {
	w := newWorld(t)
	w.post("/%C2%9B31m%E2%80%AE%0Ax", "")
	w.post("/"+strings.Repeat("a/", 10_000), "")
	r := httptest.NewRequest(strings.Repeat("A", 30_000), "/user/check", nil)
	w.server.ServeHTTP(httptest.NewRecorder(), r)
	for _, line := range strings.Split(strings.TrimSpace(w.log.String()), "\n") {
		if len(line) > 1000 || strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("%d bytes: %.300q", len(line), line)
		}
	}
	if n := len(w.log.lines(t, "request")); n != 3 {
		t.Errorf("%d lines", n)
	}
}

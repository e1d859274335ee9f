package profile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestASecretIsRedactedHoweverItIsPrinted(t *testing.T) {
	const secret = "hunter2"
	w := newWorld(t)
	w.env["ATS_AUTH_JWT_SECRET"] = secret
	p := w.load()
	v := p.Value("jwt_secret")
	if v.Reveal() != secret || !v.Secret() || v.IsZero() {
		t.Fatalf("reveal %q", v.Reveal())
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v, "p", p, "all", p.Candidates("jwt_secret"))
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v, "p", p, "all", p.Candidates("jwt_secret"))
	encoded, err := json.Marshal(map[string]any{"v": v, "p": p, "in": struct{ V Value }{v}})
	if err != nil {
		t.Fatal(err)
	}
	printed := []string{log.String(), string(encoded)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s"} {
		printed = append(printed, fmt.Sprintf(verb, v), fmt.Sprintf(verb, &v), fmt.Sprintf(verb, struct{ v Value }{v}), fmt.Sprintf(verb, p), fmt.Sprintf(verb, *p))
	}
	for _, text := range printed {
		if strings.Contains(text, secret) || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", secret)) {
			t.Errorf("printed as %s", text)
		}
	}
	if got := fmt.Sprintf("%v %s", v, &v); got != "<redacted> <redacted>" {
		t.Errorf("printed as %s", got)
	}
	if got := fmt.Sprintf("[%v] [%8v] [%q]", p.Value("token"), p.Value("timeout"), p.Value("dialect")); got != `[] [     30s] ["ats"]` {
		t.Errorf("what is no secret is printed as %s", got)
	}
}

func TestEverySecretOfTheTableIsOne(t *testing.T) {
	var secrets []string
	for _, s := range Settings() {
		if s.Secret {
			secrets = append(secrets, s.Name)
		}
	}
	if got := strings.Join(secrets, " "); got != "password token refresh_token client_secret jwt_secret" {
		t.Fatal(got)
	}
}

func TestAListIsSeparatedByBlanksAndAPortIsANumber(t *testing.T) {
	w := newWorld(t)
	w.config.Flags["resource"], w.config.Flags["redirect_port"] = " https://a.example  https://b.example\t", "65535"
	p := w.load()
	if got := strings.Join(p.Value("resource").List(), ","); got != "https://a.example,https://b.example" {
		t.Errorf("list %q", got)
	}
	if got := p.Value("redirect_port").Port(); got != 65535 {
		t.Errorf("port %d", got)
	}
	for _, text := range []string{"65536", "-1", "http", "80 "} {
		w.config.Flags["redirect_port"] = text
		if e := w.refusal(); e.Problem != "flag --redirect-port: not a port from 0 to 65535" {
			t.Errorf("%q: %s", text, e.Problem)
		}
	}
}

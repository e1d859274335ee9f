package soak

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// peer is one of the servers, as its clients know it.
type peer struct{ name, url string }

// verdict is what an answer says about a request.
type verdict int

const (
	lost   verdict = iota // nobody knows whether it was done
	never                 // it never reached a server
	busy                  // it was refused for now, and not done
	good                  // it was done
	void                  // the token is revoked
	absurd                // no server that keeps its promises says so
)

// answer is what came of a request. Instants are on the monotonic clock of the driver,
// since it began.
type answer struct {
	verdict
	called, returned time.Duration
	access, refresh  string
	text             string // status and body, for people
}

// wire speaks the ats dialect to servers.
type wire struct {
	http  *http.Client
	began time.Time
}

// patience is how long a client waits for an answer.
const patience = 2 * time.Second

func newWire() *wire {
	transport := &http.Transport{MaxIdleConnsPerHost: 128, IdleConnTimeout: time.Minute, DisableCompression: true}
	return &wire{http: &http.Client{Transport: transport, Timeout: patience}, began: time.Now()}
}

func (w *wire) now() time.Duration { return time.Since(w.began) }

func (w *wire) login(ctx context.Context, p peer, user string) answer {
	return w.post(ctx, p, "login", "", map[string]any{"username": user, "password": password, "refresh": true})
}

func (w *wire) refresh(ctx context.Context, p peer, token string) answer {
	return w.post(ctx, p, "refresh", "", map[string]any{"refresh_token": token})
}

func (w *wire) check(ctx context.Context, p peer, access string) answer {
	return w.post(ctx, p, "check", access, nil)
}

func (w *wire) revoke(ctx context.Context, p peer, access string) answer {
	return w.post(ctx, p, "logout", access, nil)
}

func (w *wire) revokeAll(ctx context.Context, p peer, access string) answer {
	return w.post(ctx, p, "logout_all", access, map[string]any{})
}

func (w *wire) post(ctx context.Context, p peer, what, bearer string, body any) answer {
	text, _ := json.Marshal(body)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/user/"+what, bytes.NewReader(text))
	if err != nil {
		return answer{verdict: absurd, text: err.Error()}
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	a := answer{called: w.now()}
	response, err := w.http.Do(r)
	if err == nil {
		a.read(response)
	} else {
		a.verdict, a.text = unanswered(err), "no answer"
	}
	a.returned = w.now()
	return a
}

// unanswered tells a request that found nobody to take it from one that may have been
// carried out.
func unanswered(err error) verdict {
	var refused *net.OpError
	if errors.As(err, &refused) && refused.Op == "dial" {
		return never
	}
	return lost
}

func (a *answer) read(r *http.Response) {
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		a.verdict, a.text = lost, "half an answer"
		return
	}
	a.verdict = judge(r.StatusCode, string(text))
	a.text = fmt.Sprint(r.StatusCode)
	if a.verdict == absurd {
		a.text = fmt.Sprintf("%d %.200s", r.StatusCode, text)
	}
	var set struct {
		Token        string `json:"token"`
		RefreshToken string `json:"refresh_token"`
	}
	if a.verdict == good && json.Unmarshal(text, &set) == nil {
		a.access, a.refresh = set.Token, set.RefreshToken
	}
}

func judge(status int, text string) verdict {
	switch {
	case status == http.StatusOK || status == http.StatusNoContent:
		return good
	case status == http.StatusUnauthorized && (strings.Contains(text, `"token revoked"`) || strings.Contains(text, `"token unknown"`)):
		return void // the row of a login that is over is removed soon
	case status == http.StatusTooManyRequests:
		return busy
	case status == http.StatusServiceUnavailable:
		return lost
	}
	return absurd
}

// numberOf is how often the login of a refresh token had been refreshed when that was
// made; -1: it is none.
func numberOf(refresh string) int64 {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(refresh, "ats_rt_"))
	if err != nil || len(b) != 16+8+32 {
		return -1
	}
	return int64(binary.BigEndian.Uint64(b[16:]))
}

// identityOf is the id that an access token has.
func identityOf(access string) string {
	parts := strings.Split(access, ".")
	if len(parts) != 3 {
		return ""
	}
	text, _ := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		JTI string `json:"jti"`
	}
	_ = json.Unmarshal(text, &claims)
	return claims.JTI
}

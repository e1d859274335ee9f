package door_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/tapis"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// client is the client's end over a connection to the world's handler.
func (w *world) client(c tapis.Config) *tapis.Client {
	w.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.handler.ServeHTTP(rw, r.WithContext(dialect.WithSource(r.Context(), source)))
	}))
	w.Cleanup(s.Close)
	c.Now = w.clock.Now
	c.Exchange = func(ctx context.Context, m dialect.Message) (dialect.Reply, error) {
		kind, body, err := m.Body()
		if err != nil {
			return dialect.Reply{}, err
		}
		r, err := http.NewRequestWithContext(ctx, m.Method, m.URL(s.URL), strings.NewReader(string(body)))
		if err != nil {
			return dialect.Reply{}, err
		}
		if m.Header != nil {
			r.Header = m.Header.Clone()
		}
		if kind != "" {
			r.Header.Set("Content-Type", kind)
		}
		if a := m.Authorization(); a != "" {
			r.Header.Set("Authorization", a)
		}
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return dialect.Reply{}, err
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		return dialect.Reply{Status: response.StatusCode, Header: response.Header, Body: answer}, err
	}
	return tapis.NewClient(c)
}

func credentials(name, pass string) token.Credentials {
	return token.Credentials{Username: name, Password: token.NewPassword(pass)}
}

func wantKind(t *testing.T, err, kind error, what string) {
	t.Helper()
	if !errors.Is(err, kind) || kind == nil && err != nil {
		t.Errorf("%s: %v, want %v", what, err, kind)
	}
}

func TestBothEndsUnderstandEachOther(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	id, key := w.addApplication(everyGrant())
	c := w.client(tapis.Config{Tenant: "dev", ClientID: id, ClientSecret: token.NewSecret(key)})
	set, err := c.Login(ctx, credentials("jstubbs", testPassword), token.Request{Refresh: true})
	w.do(err)
	if set.ExpiresIn != 300 || set.RefreshExpiresIn != 600 || !set.ExpiresAt.Equal(w.clock.Now().Add(300*time.Second)) {
		t.Errorf("login %+v", set)
	}
	claims, err := c.Check(ctx, set.AccessToken)
	w.do(err)
	if name, _ := claims.String("tapis/username"); name != "jstubbs" {
		t.Errorf("claims %s", claims.JSON())
	}
	again, err := c.Refresh(ctx, set.RefreshToken, token.Request{})
	w.do(err)
	w.do(c.Revoke(ctx, again.AccessToken))
	w.do(c.Revoke(ctx, again.AccessToken)) // void already: no error
	_, err = c.Check(ctx, again.AccessToken)
	wantKind(t, err, token.ErrRevoked, "a revoked token")
	_, err = c.Refresh(ctx, again.RefreshToken, token.Request{})
	w.do(err)
	keys, issuer, err := c.Keys(ctx, "dev")
	if err != nil || issuer != seedIssuer || !strings.HasPrefix(string(keys), `{"keys":[`) {
		t.Errorf("keys %s of %s: %v", keys, issuer, err)
	}
	_, _, err = c.Keys(ctx, "nobody")
	wantKind(t, err, token.ErrUnknown, "a tenant that there is not")
	w.clock.move(601 * time.Second)
	_, err = c.Refresh(ctx, again.RefreshToken, token.Request{})
	wantKind(t, err, token.ErrExpired, "a refresh token that is over")
}

func TestAServiceMintsThroughTheClient(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	c := w.client(tapis.Config{Tenant: "dev"})
	want := token.Request{Refresh: true, TTL: 3153600000, RefreshTTL: 3153600000, Mint: &token.Mint{
		Username: "ann", Tenant: "far", Delegate: "bob@dev", TargetSite: "uh", Claims: `{"scope":"x"}`,
	}}
	set, err := c.Login(ctx, credentials("apps", testPassword), want)
	w.do(err)
	claims := w.claims(set.AccessToken.Reveal())
	if claims["sub"] != "ann@far" || claims["tapis/delegation_sub"] != "bob@dev" || claims["scope"] != "x" || claims["tapis/target_site"] != "uh" || set.ExpiresIn != 3153600000 || set.RefreshExpiresIn != 3153600000 {
		t.Errorf("claims %v of %+v", claims, set)
	}
	_, err = c.Refresh(ctx, set.RefreshToken, token.Request{})
	w.do(err)
	self, err := c.Login(ctx, credentials("apps", testPassword), token.Request{Mint: &token.Mint{Service: true}})
	w.do(err)
	_, err = c.Login(ctx, token.Credentials{}, token.Request{Mint: &token.Mint{Username: "ann", Bearer: self.AccessToken}})
	w.do(err)
	_, err = c.Login(ctx, credentials("files", testPassword), token.Request{Mint: &token.Mint{Username: "ann"}})
	wantKind(t, err, token.ErrDenied, "a service that may not")
	_, err = c.Login(ctx, credentials("apps", "x"), token.Request{Mint: &token.Mint{Username: "ann"}})
	wantKind(t, err, token.ErrCredentials, "a wrong password")
	_, err = c.Login(ctx, token.Credentials{}, token.Request{Mint: &token.Mint{Username: "ann"}})
	wantKind(t, err, token.ErrCredentials, "nobody")
	w.open = "dev"
	_, err = c.Login(ctx, token.Credentials{}, token.Request{Mint: &token.Mint{Username: "ann"}})
	w.do(err)
}

func TestTheClientTellsRefusalsApart(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	c := w.client(tapis.Config{Tenant: "dev"})
	_, err := c.Login(ctx, credentials("jstubbs", "x"), token.Request{})
	wantKind(t, err, token.ErrCredentials, "a wrong password")
	_, err = w.client(tapis.Config{Tenant: "dev", ClientID: "x", ClientSecret: token.NewSecret("y")}).Login(ctx, credentials("jstubbs", testPassword), token.Request{})
	wantKind(t, err, token.ErrCredentials, "an unknown client")
	_, err = c.Refresh(ctx, token.NewSecret("junk"), token.Request{})
	wantKind(t, err, token.ErrUnknown, "junk")
	_, err = c.Check(ctx, token.NewSecret(forge(w.service("dev", "files"))))
	wantKind(t, err, token.ErrUnknown, "a forged token")
	wantKind(t, c.Revoke(ctx, token.NewSecret("junk")), token.ErrUnknown, "junk to revoke")
	for range 4 {
		c.Login(ctx, credentials("jstubbs", "x"), token.Request{})
	}
	_, err = c.Login(ctx, credentials("jstubbs", "x"), token.Request{})
	var slow *token.Refusal
	if !errors.As(err, &slow) || slow.Kind != token.ErrThrottled || slow.RetryAfter == 0 {
		t.Errorf("a guess too many: %v", err)
	}
	raw := token.NewSecret(w.service("dev", "files"))
	w.store.down = true
	w.clock.move(2 * time.Second)
	_, err = c.Check(ctx, raw)
	wantKind(t, err, token.ErrUnavailable, "a store that is down")
}

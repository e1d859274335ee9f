package oauth2

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

const (
	defaultInterval = 5   // seconds between two questions (RFC 8628 section 3.2)
	slowDown        = 5   // seconds more after slow_down (RFC 8628 section 3.5)
	maxInterval     = 600 // seconds; few codes live as long
	maxFailures     = 3   // questions in a row that get no answer
)

// deviceLogin is a login that somebody finishes elsewhere.
type deviceLogin struct {
	code     string
	shown    token.DeviceCode
	interval int64 // seconds
}

// byDevice shows a code and waits until somebody has typed it elsewhere (RFC
// 8628).
func (c *Client) byDevice(ctx context.Context, g token.Grant, want token.Request) (token.Set, error) {
	if err := c.needID(); err != nil {
		return token.Set{}, err
	}
	if g.ShowDevice == nil {
		return token.Set{}, errors.New("device code: nobody to show it to")
	}
	form := url.Values{}
	if err := addWishes(form, want); err != nil {
		return token.Set{}, err
	}
	m, err := c.metadata(ctx)
	if err == nil {
		err = need(m.device, "device_authorization_endpoint")
	}
	if err != nil {
		return token.Set{}, err
	}
	r, err := c.post(ctx, m, m.device, form, false)
	if err != nil {
		return token.Set{}, err
	}
	login, err := c.readDevice(r)
	if err != nil {
		return token.Set{}, err
	}
	g.ShowDevice(login.shown)
	return c.poll(ctx, login, want)
}

// readDevice reads the answer of RFC 8628 section 3.2.
func (c *Client) readDevice(r dialect.Reply) (deviceLogin, error) {
	o, err := r.Object()
	if err != nil {
		return deviceLogin{}, err
	}
	d := deviceLogin{}
	d.code, _ = o.String("device_code")
	d.shown.UserCode, _ = o.String("user_code")
	if d.shown.URL, _ = o.String("verification_uri"); d.shown.URL == "" {
		d.shown.URL, _ = o.String("verification_url") // of before the standard
	}
	d.shown.Complete, _ = o.String("verification_uri_complete")
	if d.code == "" || d.shown.UserCode == "" || len(d.shown.UserCode) > 64 ||
		strings.ContainsFunc(d.shown.UserCode, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return deviceLogin{}, senseless("no device code in it")
	}
	for _, address := range []string{d.shown.URL, d.shown.Complete} {
		if u, err := safeURL(address); (err != nil || u.Scheme == "http" && !local(c.Issuer)) && (address != "" || d.shown.URL == "") {
			return deviceLogin{}, senseless("%s is not an https address to type a code at", shown(address))
		}
	}
	seconds, err := secondsIn(o, "expires_in")
	if err != nil || seconds == 0 {
		return deviceLogin{}, senseless("no expires_in of the device code in it")
	}
	d.shown.Expires = after(c.Now(), seconds)
	if d.interval, err = secondsIn(o, "interval"); err != nil {
		return deviceLogin{}, err
	}
	if d.interval == 0 {
		d.interval = defaultInterval
	}
	d.interval = min(d.interval, maxInterval)
	return d, nil
}

// poll asks for the token until somebody has decided (RFC 8628 section 3.4). One
// who has lost their network for a moment goes on.
func (c *Client) poll(ctx context.Context, login deviceLogin, want token.Request) (token.Set, error) {
	form := url.Values{"grant_type": {token.GrantDeviceCode}, "device_code": {login.code}}
	for failures := 0; ; {
		if !c.Now().Before(login.shown.Expires) {
			return token.Set{}, errCodeExpired
		}
		if err := c.wait(ctx, time.Duration(login.interval)*time.Second); err != nil {
			return token.Set{}, err
		}
		set, err := c.request(ctx, maps.Clone(form), want, "")
		switch code := codeOf(err); {
		case err == nil:
			return set, nil
		case code == ErrorAuthorizationPending:
			failures = 0
			continue
		case code == ErrorSlowDown:
			failures = 0
		case failures+1 >= maxFailures || !passing(ctx, err):
			return token.Set{}, deviceRefusal(err)
		default:
			failures++
		}
		login.interval = min(login.interval+slowDown, maxInterval)
	}
}

// passing reports a failure that may be over at the next question: the way there,
// or a service that is busy. What made no sense, or refused, stays.
func passing(ctx context.Context, err error) bool {
	var refusal *token.Refusal
	if ctx.Err() != nil {
		return false
	}
	if !errors.As(err, &refusal) {
		return true
	}
	var c *coded
	return errors.As(err, &c) && (errors.Is(err, token.ErrThrottled) || errors.Is(err, token.ErrUnavailable))
}

var errCodeExpired = token.Refuse(token.ErrExpired, "the code expired before anybody typed it")

// deviceRefusal words what a person did, or did not.
func deviceRefusal(err error) error {
	switch codeOf(err) {
	case ErrorAccessDenied:
		return token.Refuse(token.ErrDenied, "the login was denied")
	case ErrorExpiredToken:
		return errCodeExpired
	}
	return err
}

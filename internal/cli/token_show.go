package cli

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

func (a *app) tokenShow() *cobra.Command {
	var id string
	c := &cobra.Command{
		Use: "show [TOKEN|-]", Short: "Decode a token, and verify it when a key is configured", Args: cobra.MaximumNArgs(1),
		Long: `Decode a token: its header, its claims, and its times as epoch seconds, in UTC
and relative to now. An expired token is shown too. When a key is configured the
signature is verified, and a token that is not genuine is refused.

Without an argument the token is ATS_AUTH_TOKEN, else standard input. -c prints
header, claims, verified, validity, or a single claim by its name.

With --id it is what the server says of a token, in the awx dialect, or of a login,
in the ciphertrust dialect, or of the refresh token of a client id, in the wazo
dialect. There a token says nothing itself, and is what the server says of it.`,
		Example: `  ats-auth token show "$TOKEN"
  ats-auth token show -c sub "$TOKEN"`,
		RunE: func(c *cobra.Command, args []string) error {
			switch {
			case id == "":
				return a.runTokenShow(c, args)
			case len(args) > 0:
				return command.Usage("--id and a token exclude each other")
			}
			return a.runLoginShow(c.Context(), id)
		},
	}
	a.later(c, func() {
		c.Flags().Var((*once)(&id), "id", "show the token or login of that `ID` instead; awx, ciphertrust and wazo dialects")
		a.credentialFlags(c.Flags())
		a.keyFlags(c.Flags())
		a.formatFlags(c.Flags())
	})
	return c
}

func (a *app) runTokenShow(c *cobra.Command, args []string) error {
	if err := cmp.Or(notEmpty(c, "alg", "issuer", "audience"), a.load()); err != nil {
		return err
	}
	if a.dialect() == "wazo" {
		return a.runWazoShow(c.Context(), args)
	}
	judge, err := a.newJudge("", func(v *verifier.Config) { v.AnyAudience = v.Audience == "" })
	if err != nil {
		return err
	}
	defer judge.close()
	raw, err := a.oneToken(args)
	if err != nil {
		return err
	}
	decoded, err := token.Decode(raw)
	if err != nil {
		return err
	}
	verified := judge != nil
	if verified {
		if _, err := judge.Verify(c.Context(), raw); err != nil && exitCode(err) != exitNotNow {
			return err
		}
	}
	if a.flags.format != "" || len(a.flags.columns) > 0 {
		return a.printShown(decoded, verified)
	}
	return a.tellShown(decoded, verified)
}

// printShown prints a token for a program: whole, or the columns asked for, which
// may be claims.
func (a *app) printShown(decoded *token.Token, verified bool) error {
	r := record{
		{"header", rawJSON(decoded.Header.JSON())},
		{"claims", rawJSON(decoded.Claims.JSON())},
		{"verified", verified},
		{"validity", a.validity(decoded.Claims)},
	}
	r = append(r, tapisSays(decoded.Claims)...)
	var known []string
	for _, f := range r {
		known = append(known, f.name)
	}
	for _, name := range a.flags.columns {
		raw, ok := decoded.Claims.Raw(name)
		if !ok || slices.Contains(known, name) {
			continue
		}
		var line bytes.Buffer // a payload may have been written over several lines
		if err := json.Compact(&line, raw); err != nil {
			return err
		}
		var value any = rawJSON(token.Printable(line.String()))
		if text, isText := decoded.Claims.String(name); isText {
			value = text
		}
		known = append(known, name)
		r = append(r, field{name, value})
	}
	if err := a.checkColumns(append(known, "or another claim of the token")...); err != nil {
		return err
	}
	return a.print(r)
}

// tellShown tells a person what a token says.
func (a *app) tellShown(decoded *token.Token, verified bool) error {
	label := "UNVERIFIED claims"
	if verified {
		label = "claims"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "header: %s\n%s: %s\n", decoded.Header.JSON(), label, decoded.Claims.JSON())
	for _, name := range []string{"iat", "auth_time", "updated_at", "nbf", "exp"} {
		if line := a.when(decoded.Claims, name); line != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, line)
		}
	}
	for _, f := range tapisSays(decoded.Claims) {
		fmt.Fprintf(&b, "%s: %v\n", strings.ReplaceAll(f.name, "_", " "), f.value)
	}
	fmt.Fprintf(&b, "validity: %s\n", a.validity(decoded.Claims))
	_, err := fmt.Fprint(a.Stdout, b.String())
	return err
}

// when tells a time claim in three forms.
func (a *app) when(c *token.Claims, name string) string {
	us, ok, err := c.NumericDate(name)
	if !ok {
		return ""
	}
	if err != nil {
		return safe(err.Error())
	}
	number, _ := c.Raw(name)
	t := time.UnixMicro(us)
	return fmt.Sprintf("%s  %s  %s", number, t.UTC().Format(time.RFC3339), relative(t, a.Now()))
}

// validity says whether the times of a token are good now.
func (a *app) validity(c *token.Claims) string {
	now := a.Now()
	exp, hasExp, err := c.NumericDate("exp")
	nbf, hasNbf, err2 := c.NumericDate("nbf")
	switch {
	case errors.Join(err, err2) != nil:
		return "never: a time claim is no time"
	case hasNbf && now.UnixMicro() < nbf:
		return "not yet: begins " + relative(time.UnixMicro(nbf), now)
	case !hasExp:
		return "without end: there is no exp"
	case now.UnixMicro() >= exp:
		return "expired " + relative(time.UnixMicro(exp), now)
	}
	return "valid, expires " + relative(time.UnixMicro(exp), now)
}

// relative tells a distance in its two largest units.
func relative(t, now time.Time) string {
	d := t.Sub(now)
	if d.Abs() < time.Second {
		return "just now"
	}
	if d > 0 {
		return "in " + spanOf(secondsUntil(t, now))
	}
	return spanOf(-secondsUntil(t, now)) + " ago"
}

// secondsUntil is how long it is from now to t, however far.
func secondsUntil(t, now time.Time) int64 {
	if d := t.Sub(now).Round(time.Second); d.Abs() < math.MaxInt64 {
		return int64(d / time.Second)
	}
	return t.Unix() - now.Unix()
}

func span(d time.Duration) string {
	return spanOf(int64(d.Round(time.Second) / time.Second))
}

// spanOf is span for what a Duration may be too short for: it ends after 292 years.
func spanOf(seconds int64) string {
	units := []struct {
		name    string
		seconds int64
	}{{"year", 365 * 86400}, {"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}}
	var parts []string
	for _, u := range units {
		n := seconds / u.seconds
		seconds %= u.seconds
		if n == 0 && (len(parts) > 0 || u.seconds > 1) {
			if len(parts) > 0 {
				break
			}
			continue
		}
		parts = append(parts, plural(n, u.name))
		if len(parts) == 2 {
			break
		}
	}
	return strings.Join(parts, " ")
}

func plural(n int64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

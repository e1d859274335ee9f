package cli

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/profile"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// verifyFlags are what `token verify` may be told beyond the keys.
type verifyFlags struct {
	leeway      time.Duration
	anyAudience bool
	types       []string
	at          string
	member      string
	failFast    bool
}

func (a *app) tokenVerify() *cobra.Command {
	var flags verifyFlags
	c := &cobra.Command{
		Use: "verify [TOKEN|-]", Short: "Judge whether a token is genuine and valid, offline", Args: cobra.MaximumNArgs(1),
		Long: `Judge whether a token is genuine and valid, without asking the server about it.
The key is a shared secret (--secret-file, jwt_secret), public keys (--jwks,
--public-key: PEM, JWK or JWK set), or those that --issuer publishes. In the tapis
dialect it is without any of these what the server publishes of the token's tenant,
which must be the configured one if there is one; that of the saved login is none.

With --feed (or a configured feed) the server is asked what was revoked, as the application of --client-id
and its secret or key, which must have the scope revocations. Where that cannot be
known as of the last second, no token is good: exit code 6, or 4 and 5 where the
application gets no token. With - the feed is followed while lines are judged.

With - every line of standard input is a token, bare, behind "Bearer", or a JSON
string, or with --field a JSON object that holds one; each gets one line of JSON
on stdout, in order. The exit code is that of the gravest verdict: 7 not
genuine, 8 not valid now.`,
		Example: `  ats-auth token verify --secret-file secret.txt "$TOKEN"
  ats-auth token verify --issuer https://accounts.example.org --audience app "$TOKEN"
  ats-auth token verify --dialect tapis --url https://dev.tapis.example.org "$TOKEN"
  ats-auth token verify --secret-file secret.txt --feed https://auth.example.org \
    --client-id orders --client-secret-file client-secret.txt "$TOKEN"
  ats-auth token verify - < tokens.txt | jq -r 'select(.verdict != "ok").line'
  ats-auth token verify --field token --fail-fast - < access.ndjson`,
		RunE: func(c *cobra.Command, args []string) error { return a.runTokenVerify(c, args, flags) },
	}
	a.later(c, func() {
		a.keyFlags(c.Flags())
		a.settingFlags(c.Flags(), "feed")
		a.applicationFlags(c)
		a.formatFlags(c.Flags())
		c.Flags().DurationVar(&flags.leeway, "leeway", 0, "how far clocks may differ, at most 5m")
		c.Flags().BoolVar(&flags.anyAudience, "no-aud", false, "accept tokens made for any audience")
		c.Flags().StringArrayVar(&flags.types, "typ", nil, "accept tokens of this `TYPE` only, at+jwt say; may be given again")
		c.Flags().StringVar(&flags.at, "at", "", "judge as of this `TIME`: 2026-01-02T15:04:05Z, or seconds since 1970")
		c.Flags().StringVar(&flags.member, "field", "", "with -, the lines are JSON objects that hold the token under this `NAME`")
		c.Flags().BoolVar(&flags.failFast, "fail-fast", false, "with -, stop behind the first token that is not ok")
	})
	return c
}

func (a *app) runTokenVerify(c *cobra.Command, args []string, flags verifyFlags) error {
	if err := cmp.Or(notEmpty(c, "typ", "alg", "issuer", "audience", "at", "feed"), a.load()); err != nil {
		return err
	}
	if err := a.checkColumns(verdictColumns...); err != nil {
		return err
	}
	now, stream := a.Now, len(args) == 1 && args[0] == "-"
	if err := a.setClock(flags.at); err != nil {
		return err
	}
	follow, unfollow := func(*verifier.Config) {}, func() {}
	if !a.profile.Value("feed").IsZero() {
		var err error
		if follow, unfollow, err = a.follow(c.Context(), stream, now); err != nil {
			return err
		}
	}
	defer unfollow()
	judge, err := a.verifyJudge(func(v *verifier.Config) {
		v.Leeway, v.AnyAudience, v.Types, v.Rule = flags.leeway, flags.anyAudience, lower(flags.types), a.dialectRule()
		follow(v)
	})
	if err != nil {
		return err
	}
	if judge == nil {
		hint := ""
		if a.dialect() == "wazo" || len(args) == 1 && isUUID(bare(args[0])) {
			hint = "ats-auth token check asks the server: an opaque token says nothing itself"
		}
		return &configError{
			problem: "no key to verify with: give --secret-file, --jwks, --public-key or --issuer, or jwt_secret in the [client] of ats-auth-client.ini",
			hint:    hint,
		}
	}
	defer judge.close()
	if flags.anyAudience {
		a.warn("--no-aud: tokens made for other services are accepted too")
	}
	if stream {
		if a.terminalStdin {
			a.say(levelInfo, "Reading tokens from the terminal, one a line; Ctrl-D ends.")
		}
		return a.verifyLines(c, judge, flags)
	}
	raw, err := a.oneToken(args)
	if err != nil {
		return err
	}
	claims, err := judge.Verify(c.Context(), raw)
	a.warnOfKeys(c.Context(), judge)
	if err != nil {
		return err
	}
	if a.flags.format == "" && len(a.flags.columns) == 0 {
		_, err = fmt.Fprintf(a.Stdout, "ok: %s, %s\n", safe(claims.Subject()), a.validity(claims))
		return err
	}
	return a.print(okRecord(claims))
}

// verifyJudge is the verifier of the configured keys, else of those that the
// issuer publishes, or in the tapis dialect the tenant; nil when there is none.
func (a *app) verifyJudge(adjust func(*verifier.Config)) (*judge, error) {
	if a.dialect() != "tapis" {
		return a.newJudge(a.profile.Value("issuer").Reveal(), adjust)
	}
	judge, err := a.newJudge("", adjust)
	if err != nil || judge != nil || a.profile.Value("url").IsZero() {
		return judge, err
	}
	service, err := a.newClient()
	if err != nil {
		return nil, err
	}
	judge = a.tenantJudgeOf(service, adjust)
	// Whoever logged in to one tenant may be shown tokens of another.
	if v := a.profile.Value("tenant"); v.Origin() > profile.Saved {
		judge.tenants.only, judge.tenants.from = v.Reveal(), v.Source()
	}
	return judge, nil
}

func lower(types []string) []string {
	for i, t := range types {
		types[i] = strings.TrimPrefix(strings.ToLower(t), "application/")
	}
	return types
}

// setClock makes everything be judged as of a time.
func (a *app) setClock(at string) error {
	if at == "" {
		return nil
	}
	t, err := time.Parse(time.RFC3339, at)
	seconds, numberErr := strconv.ParseFloat(at, 64)
	if err != nil && numberErr == nil && math.Abs(seconds) < 1e11 {
		t, err = time.UnixMicro(int64(seconds*1e6)), nil
	}
	if err != nil {
		return command.Usage("--at %q is neither a time like 2026-01-02T15:04:05Z nor seconds since 1970", at)
	}
	a.Now = func() time.Time { return t }
	return nil
}

// verifyLines judges a token a line.
func (a *app) verifyLines(c *cobra.Command, judge *judge, flags verifyFlags) error {
	b := &bulk{failFast: flags.failFast, judge: func(out []byte, number int, line string) ([]byte, int) {
		raw, err := memberOf(line, flags.member)
		var claims *token.Claims
		if err == nil {
			claims, err = judge.Verify(c.Context(), raw)
		}
		return appendVerdict(out, number, claims, err)
	}}
	// What a line leaves behind is garbage at once: a larger heap is cheaper than
	// looking after a small one all the time, and stays below 64 MiB.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	stop := a.progress(b)
	gravest, err := b.run(a.Stdin, a.Stdout)
	stop()
	a.warnOfKeys(c.Context(), judge)
	if err == nil && gravest != 0 {
		return &reported{gravest}
	}
	return err
}

// memberOf finds the token of a line.
func memberOf(line, member string) (string, error) {
	if member == "" {
		return line, nil
	}
	o, err := token.ParseObject(line)
	if err != nil {
		return "", err
	}
	raw, ok := o.String(member)
	if !ok {
		return "", token.Refuse(token.ErrMalformed, "no string under %q", member)
	}
	return bare(raw), nil
}

// progress tells a person how far it is, once a second.
func (a *app) progress(b *bulk) (stop func()) {
	if a.level() < levelInfo || !a.Interactive(a.Stderr) || a.Interactive(a.Stdout) {
		return func() {}
	}
	done, gone := make(chan struct{}), make(chan struct{})
	began := time.Now()
	go func() {
		defer close(gone)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				_, _ = io.WriteString(a.Stderr, "\r\x1b[K")
				return
			case <-tick.C:
				n := b.lines.Load()
				fmt.Fprintf(a.Stderr, "\r\x1b[K%d tokens, %.0f a second, %d not ok", n, float64(n)/time.Since(began).Seconds(), b.failed.Load())
			}
		}
	}()
	return func() { close(done); <-gone }
}

package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

func (a *app) tokenVerify() *cobra.Command {
	var leeway time.Duration
	var anyAudience bool
	c := &cobra.Command{
		Use: "verify [TOKEN|-]", Short: "Judge whether a token is genuine and valid, offline", Args: cobra.MaximumNArgs(1),
		Long: `Judge whether a token is genuine and valid, without asking a server. The key is
jwt_secret, from the configuration or --secret-file.

With - every line of standard input is a token; each gets one line of JSON on
stdout, in order. The exit code is that of the gravest verdict: 7 not genuine,
8 not valid now.`,
		Example: `  ats-auth token verify --secret-file secret.txt "$TOKEN"
  ats-auth token verify - < tokens.txt | jq -r 'select(.verdict != "ok").line'`,
		RunE: func(c *cobra.Command, args []string) error {
			return a.runTokenVerify(c, args, func(v *verifier.Config) { v.Leeway, v.AnyAudience = leeway, anyAudience })
		},
	}
	a.settingFlags(c.Flags(), "jwt_secret_file", "issuer", "audience")
	a.formatFlags(c.Flags())
	c.Flags().DurationVar(&leeway, "leeway", 0, "how far clocks may differ, at most 5m")
	c.Flags().BoolVar(&anyAudience, "no-aud", false, "accept tokens made for any audience")
	return c
}

func (a *app) runTokenVerify(c *cobra.Command, args []string, adjust func(*verifier.Config)) error {
	if err := a.load(); err != nil {
		return err
	}
	if err := a.checkColumns(verdictColumns...); err != nil {
		return err
	}
	judge, err := a.judge(adjust)
	if err != nil {
		return err
	}
	if judge == nil {
		return &configError{
			problem: "no key to verify with: give --secret-file, ATS_AUTH_JWT_SECRET_FILE, or jwt_secret in the [client] of ats-auth-client.ini",
		}
	}
	if secret, err := a.signingSecret(); err == nil {
		if reason, weak := verifier.WeakSecret([]byte(secret.Reveal()), "HS256"); weak {
			a.warn("the jwt_secret is weak: %s", reason)
		}
	}
	if len(args) == 1 && args[0] == "-" {
		return a.verifyLines(c, judge)
	}
	raw, err := a.oneToken(args)
	if err != nil {
		return err
	}
	claims, err := judge.Verify(c.Context(), raw)
	if err != nil {
		return err
	}
	v := newVerdict(0, claims, nil)
	if a.flags.format == "" && len(a.flags.columns) == 0 {
		_, err = fmt.Fprintf(a.Stdout, "ok: %s, %s\n", safe(claims.Subject()), a.validity(claims))
		return err
	}
	return a.print(v.record())
}

// verdict is what is printed of one token.
type verdict struct {
	Line    int             `json:"line,omitempty"`
	Verdict string          `json:"verdict"`
	Code    int             `json:"code"`
	Subject string          `json:"sub,omitempty"`
	Issuer  string          `json:"iss,omitempty"`
	Expires json.RawMessage `json:"exp,omitempty"`
	ID      string          `json:"jti,omitempty"`
	Error   string          `json:"error,omitempty"`
}

var verdictColumns = []string{"verdict", "code", "sub", "iss", "exp", "jti"}

func newVerdict(line int, c *token.Claims, err error) verdict {
	v := verdict{Line: line, Code: exitCode(err)}
	v.Verdict = exitWord(v.Code)
	if err != nil {
		v.Error = safe(err.Error())
		return v
	}
	v.Subject, v.Issuer, v.ID = c.Subject(), c.Issuer(), c.ID()
	v.Expires, _ = c.Raw("exp")
	return v
}

func (v verdict) record() record {
	return record{
		{"verdict", v.Verdict},
		{"code", int64(v.Code)},
		{"sub", v.Subject},
		{"iss", v.Issuer},
		{"exp", rawJSON(v.Expires)},
		{"jti", v.ID},
	}
}

// verifyLines judges a token a line.
func (a *app) verifyLines(c *cobra.Command, judge *verifier.Verifier) error {
	out := bufio.NewWriter(a.Stdout)
	encode := json.NewEncoder(out)
	encode.SetEscapeHTML(false)
	gravest := 0
	err := a.eachLine(func(number int, raw string) error {
		claims, err := judge.Verify(c.Context(), raw)
		v := newVerdict(number, claims, err)
		if v.Code != 0 && (gravest == 0 || v.Code < gravest) {
			gravest = v.Code
		}
		return encode.Encode(v)
	})
	if err == nil {
		err = out.Flush()
	}
	if err == nil && gravest != 0 {
		return &reported{gravest}
	}
	return err
}

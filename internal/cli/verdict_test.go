package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestAnAnswerHoldsTheClaimsAsTheyWereWritten(t *testing.T) {
	for payload, want := range map[string]string{
		`{"jti":"a","exp":1446568241.016732,"sub":"mar\u0063o"}`: `{"line":7,"verdict":"ok","code":0,"sub":"mar\u0063o","exp":1446568241.016732,"jti":"a"}`,
		`{"jwtid":"b","iss":"kylo","exp":2}`:                     `{"line":7,"verdict":"ok","code":0,"iss":"kylo","exp":2,"jti":"b"}`,
		"{\"sub\":\"a\u009bb\u202ec\",\"exp\":3}":                `{"line":7,"verdict":"ok","code":0,"sub":"a\u009bb\u202ec","exp":3}`,
	} {
		c, err := token.ParseClaims(payload)
		if err != nil {
			t.Fatal(err)
		}
		if out, code := appendVerdict(nil, 7, c, nil); string(out) != want+"\n" || code != 0 {
			t.Errorf("%s gives %s, %d", payload, out, code)
		}
	}
	if out, code := appendVerdict(nil, 7, nil, token.ErrExpired); string(out) != `{"line":7,"verdict":"not-valid-now","code":8,"error":"token expired"}`+"\n" || code != exitNotNow {
		t.Errorf("%s, %d", out, code)
	}
}

func TestAClaimWrittenOverSeveralLinesIsShownOnOne(t *testing.T) {
	b64 := base64.RawURLEncoding.EncodeToString
	raw := b64([]byte(`{"alg":"HS256"}`)) + "." + b64([]byte("{\"cust\": {\n\t\"groups\": [\"admin\"],\r\n \"n\": 1.50\n}}")) + "." + b64([]byte("x"))
	var out bytes.Buffer
	code := Run(context.Background(), Env{
		Args: []string{"ats-auth", "token", "show", "-c", "cust", "-f", "json", raw}, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
		LookupEnv: func(string) (string, bool) { return "", false }, WorkDir: t.TempDir(), HomeDir: t.TempDir(),
		Now: time.Now, Interactive: func(any) bool { return false },
	})
	if want := `{"cust":{"groups":["admin"],"n":1.50}}` + "\n"; code != 0 || out.String() != want {
		t.Errorf("exit code %d, %s", code, out.String())
	}
}

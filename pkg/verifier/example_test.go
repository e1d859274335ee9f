package verifier_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

func Example() {
	v, err := verifier.New(verifier.Config{
		Keys:   []verifier.Key{{Algorithm: "HS256", Secret: token.NewSecret("WzR3q8Yk0dVnB5tLx2HgMfC7sPjA9uEi")}},
		Issuer: "ats.auth",
		Now:    func() time.Time { return time.Unix(1700000000, 0) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, raw := range []string{
		"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhdHMuYXV0aCIsInN1YiI6Im1hcmNvIiwiZXhwIjoxNzAwMDAzNjAwfQ.r4VgdIuoYLQcse1hL7m-3V6-PCFJ4rg7ZvWuLI8QJ-w",
		"eyJhbGciOiJub25lIn0.eyJpc3MiOiJhdHMuYXV0aCIsInN1YiI6Im1hcmNvIiwiZXhwIjoxNzAwMDAzNjAwfQ.",
	} {
		claims, err := v.Verify(context.Background(), raw)
		if err != nil {
			fmt.Println(errors.Is(err, token.ErrSignature), err)
			continue
		}
		fmt.Println(claims.Subject())
	}
	// Output:
	// marco
	// true signature verification failed: no key for alg "none"
}

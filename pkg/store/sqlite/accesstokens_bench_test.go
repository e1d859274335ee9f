package sqlite

import (
	"context"
	"fmt"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// BenchmarkAccessTokens measures a page of 25 and a count among few and among many
// access tokens, at the beginning and near the end: what is asked for costs, not
// what is there.
func BenchmarkAccessTokens(b *testing.B) {
	for _, tokens := range []int64{1_000, 100_000} {
		s := openStore(b, b.TempDir())
		makeAccessTokens(b, s, tokens)
		for _, look := range []struct {
			name   string
			filter store.AccessTokenFilter
		}{
			{"all", store.AccessTokenFilter{}},
			{"personal", store.AccessTokenFilter{Personal: true}},
			{"subject", store.AccessTokenFilter{Subjects: []string{"user0"}}},
			{"subject-personal", store.AccessTokenFilter{Subjects: []string{"user0"}, Personal: true}},
			{"client", store.AccessTokenFilter{Clients: []string{"app"}}},
			{"ten-subjects-and-client", store.AccessTokenFilter{Subjects: tenUsers(), Clients: []string{"app"}}},
		} {
			for _, after := range []int64{0, tokens * 9 / 10} {
				b.Run(fmt.Sprintf("tokens=%d/page/%s/after=%d", tokens, look.name, after), func(b *testing.B) {
					for range b.N {
						page, err := s.ListAccessTokens(context.Background(), "t", look.filter, after, 25)
						if err != nil || len(page) != 25 {
							b.Fatal(len(page), err)
						}
					}
				})
			}
			b.Run(fmt.Sprintf("tokens=%d/count/%s", tokens, look.name), func(b *testing.B) {
				for range b.N {
					if count, err := s.CountAccessTokens(context.Background(), "t", look.filter); err != nil || count < tokens/4 {
						b.Fatal(count, err)
					}
				}
			})
		}
	}
}

func tenUsers() (users []string) {
	for i := range 10 {
		users = append(users, fmt.Sprint("user", i))
	}
	return users
}

// makeAccessTokens gives half of them to one user, in equal parts personal and not.
func makeAccessTokens(b *testing.B, s *Store, tokens int64) {
	b.Helper()
	var commands []store.Command
	for i := range tokens {
		token := store.AccessToken{Tenant: "t", Subject: "user0", Scope: "write", CreatedAt: i}
		if i%2 == 1 {
			token.Subject = fmt.Sprint("user", 1+i/2%99)
		}
		if i/2%2 == 1 {
			token.Client = "app"
		}
		commands = append(commands, store.CreateAccessToken{AccessToken: token})
		if len(commands) == 1000 {
			if err := s.Apply(b.Context(), commands...); err != nil {
				b.Fatal(err)
			}
			commands = nil
		}
	}
}

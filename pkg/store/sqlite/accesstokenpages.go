package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"slices"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// ListAccessTokens is store.AccessTokens. What one index has in order is one walk
// along it; the rest is a merge of such walks.
func (s *Store) ListAccessTokens(ctx context.Context, tenant string, f store.AccessTokenFilter, after int64, limit int) ([]store.AccessToken, error) {
	chosen, limit := choose(f), max(limit, 0)
	walk, args, single := chosen.walk(tenant)
	if !single {
		args = []any{
			after, names(chosen.subjects), after, names(chosen.clients), tenant, tenant, chosen.steps(limit),
			tenant, after, limit,
		}
		return list(ctx, s, scanAccessToken, chosen.merge(), args...)
	}
	query := "SELECT " + accessTokenColumns + " FROM " + walk + " AND number > ? ORDER BY number LIMIT ?"
	return list(ctx, s, scanAccessToken, query, append(args, after, limit)...)
}

// CountAccessTokens is store.AccessTokens. It adds up what is kept, and counts only
// what has both a subject and a client of those asked for.
func (s *Store) CountAccessTokens(ctx context.Context, tenant string, f store.AccessTokenFilter) (int64, error) {
	chosen := choose(f)
	if chosen.all {
		query := "SELECT coalesce(sum(" + chosen.counted + "), 0) FROM access_token_counts WHERE tenant = ? AND kind = 'tenant' AND name = ''"
		return one(ctx, s, scanCount, "count", query, tenant)
	}
	query := chosen.keptCounts()
	args := []any{tenant, names(chosen.subjects), tenant, names(chosen.clients)}
	if len(chosen.subjects) > 0 && len(chosen.clients) > 0 {
		query += " - (SELECT count(*) FROM " + ofClient + " AND client IN (" + namesIn + ") AND subject IN (" + namesIn + "))"
		args = append(args, tenant, names(chosen.clients), names(chosen.subjects))
	}
	return one(ctx, s, scanCount, "count", query, args...)
}

func scanCount(row *sql.Rows) (count int64, err error) {
	err = row.Scan(&count)
	return count, err
}

// The indexes are named, since SQLite, which knows nothing of how many there are of
// each, may take another one that has to be searched from end to end.
const (
	ofSubject     = "access_tokens INDEXED BY access_tokens_of_subject WHERE tenant = ?"
	ofSubjectSort = "access_tokens INDEXED BY access_tokens_of_subject_by_sort WHERE tenant = ? AND personal = "
	ofClient      = "access_tokens INDEXED BY access_tokens_of_client WHERE client <> '' AND tenant = ?"
	ofTenant      = "access_tokens WHERE tenant = ?"
	ofTenantSort  = "access_tokens INDEXED BY access_tokens_by_sort WHERE tenant = ? AND personal = "
)

// chosen is a filter without what says nothing. Where it is not all, no names mean
// no tokens.
type chosen struct {
	all                 bool
	subjects, clients   []string // each once; no client without a name
	ofSubject, ofTenant string   // where the tokens of the sort are
	counted             string   // what of access_token_counts counts them
}

func choose(f store.AccessTokenFilter) chosen {
	c := chosen{
		all: len(f.Subjects) == 0 && len(f.Clients) == 0, subjects: distinct(f.Subjects), clients: distinct(f.Clients),
		ofSubject: ofSubject, ofTenant: ofTenant, counted: "personal + application",
	}
	// A token made without an application is of none, not of that without a name.
	c.clients = slices.DeleteFunc(c.clients, func(client string) bool { return client == "" })
	switch {
	case f.Personal && f.Application: // no token is both
		c.all, c.subjects, c.clients = false, nil, nil
	case f.Personal:
		c.clients, c.ofSubject, c.ofTenant, c.counted = nil, ofSubjectSort+"1", ofTenantSort+"1", "personal"
	case f.Application:
		c.ofSubject, c.ofTenant, c.counted = ofSubjectSort+"0", ofTenantSort+"0", "application"
	}
	return c
}

func distinct(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// walk is where to find what one index has in the order of the numbers.
func (c chosen) walk(tenant string) (from string, args []any, single bool) {
	switch {
	case c.all:
		return c.ofTenant, []any{tenant}, true
	case len(c.subjects) == 1 && len(c.clients) == 0:
		return c.ofSubject + " AND subject = ?", []any{tenant, c.subjects[0]}, true
	case len(c.clients) == 1 && len(c.subjects) == 0:
		return ofClient + " AND client = ?", []any{tenant, c.clients[0]}, true
	}
	return "", nil, false
}

// merge gives a page of a union. The rows of walk that wait are a queue by number,
// as its ORDER BY makes it: the one with the least number comes out, and the next
// token of its subject or client goes in. So a page costs a few steps for each name
// and for each token in it, however many tokens there are.
func (c chosen) merge() string {
	const next = " AND number > walk.number ORDER BY number LIMIT 1)"
	return `WITH RECURSIVE walk (subject, client, number) AS (
		SELECT CAST(unhex(value) AS TEXT), NULL, ? FROM json_each(?)
		UNION ALL SELECT NULL, CAST(unhex(value) AS TEXT), ? FROM json_each(?)
		UNION ALL SELECT walk.subject, walk.client, coalesce(
			(SELECT number FROM ` + c.ofSubject + ` AND subject = walk.subject` + next + `,
			(SELECT number FROM ` + ofClient + ` AND client = walk.client` + next + `)
			FROM walk WHERE walk.number IS NOT NULL
		ORDER BY 3 LIMIT ?)
		SELECT ` + accessTokenColumns + ` FROM access_tokens
		WHERE tenant = ? AND number IN (SELECT number FROM walk WHERE number > ?) ORDER BY number LIMIT ?`
}

// steps is how many rows of walk have the page in them: each name gives one to begin
// with and one at its end, and a token comes twice at most, for its subject and for
// its client.
func (c chosen) steps(limit int) int64 {
	return 2 * (int64(len(c.subjects)+len(c.clients)) + min(int64(limit), 1<<40))
}

// keptCounts adds up the counts of the subjects and of the clients.
func (c chosen) keptCounts() string {
	return `SELECT (SELECT coalesce(sum(` + c.counted + `), 0) FROM access_token_counts
			WHERE tenant = ? AND kind = 'subject' AND name IN (` + namesIn + `))
		+ (SELECT coalesce(sum(application), 0) FROM access_token_counts
			WHERE tenant = ? AND kind = 'client' AND name IN (` + namesIn + `))`
}

// namesIn reads what names wrote.
const namesIn = "SELECT CAST(unhex(value) AS TEXT) FROM json_each(?)"

// names writes a list of names for namesIn: in hexadecimal digits, since JSON does
// not keep every text byte for byte.
func names(all []string) string {
	written := make([]string, len(all))
	for i, name := range all {
		written[i] = hex.EncodeToString([]byte(name))
	}
	return encodeList(written)
}

package relational

import (
	"context"
	"database/sql"
	"encoding/hex"
	"slices"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// ListAccessTokens is store.AccessTokens. What one index has in order is one walk
// along it; the rest is a merge of such walks.
func (r *Reader) ListAccessTokens(ctx context.Context, tenant string, f store.AccessTokenFilter, after int64, limit int) ([]store.AccessToken, error) {
	chosen, limit := choose(f), max(limit, 0)
	if walk, args, single := chosen.walk(tenant); single {
		query := "SELECT " + accessTokenColumns + " FROM " + walk + " AND number > ? ORDER BY number LIMIT ?"
		return list(ctx, r, scanAccessToken, query, append(args, after, limit)...)
	}
	union, args := r.dialect.Union(Union{
		Tenant: tenant, Subjects: len(chosen.subjects), Clients: len(chosen.clients),
		SubjectList: names(chosen.subjects), ClientList: names(chosen.clients),
		FromSubject: chosen.ofSubject, FromClient: ofClient, After: after, Limit: limit,
	})
	query := "SELECT " + accessTokenColumns + " FROM access_tokens WHERE tenant = ? AND " + union + " ORDER BY number LIMIT ?"
	return list(ctx, r, scanAccessToken, query, append(append([]any{tenant}, args...), limit)...)
}

// CountAccessTokens is store.AccessTokens. It adds up what is kept, and counts only
// what has both a subject and a client of those asked for.
func (r *Reader) CountAccessTokens(ctx context.Context, tenant string, f store.AccessTokenFilter) (int64, error) {
	chosen := choose(f)
	if chosen.all {
		query := "SELECT coalesce(sum(" + chosen.counted + "), 0) FROM access_token_counts WHERE tenant = ? AND kind = 'tenant' AND name = ''"
		return one(ctx, r, scanCount, "count", query, tenant)
	}
	query := chosen.keptCounts(r.dialect.Names)
	args := []any{tenant, names(chosen.subjects), tenant, names(chosen.clients)}
	if len(chosen.subjects) > 0 && len(chosen.clients) > 0 {
		query += " - (SELECT count(*) FROM " + ofClient + " AND client IN (" + r.dialect.Names + ") AND subject IN (" + r.dialect.Names + "))"
		args = append(args, tenant, names(chosen.clients), names(chosen.subjects))
	}
	return one(ctx, r, scanCount, "count", query, args...)
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

// keptCounts adds up the counts of the subjects and of the clients.
func (c chosen) keptCounts(namesIn string) string {
	return `SELECT (SELECT coalesce(sum(` + c.counted + `), 0) FROM access_token_counts
			WHERE tenant = ? AND kind = 'subject' AND name IN (` + namesIn + `))
		+ (SELECT coalesce(sum(application), 0) FROM access_token_counts
			WHERE tenant = ? AND kind = 'client' AND name IN (` + namesIn + `))`
}

// names writes a list of names for Dialect.Names: in hexadecimal digits, since JSON does
// not keep every text byte for byte.
func names(all []string) string {
	written := make([]string, len(all))
	for i, name := range all {
		written[i] = hex.EncodeToString([]byte(name))
	}
	return encodeList(written)
}

package postgres

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/relational"
)

// queries are the statements that stores have made.
type queries map[string]bool

func (q queries) of(s *Store) {
	s.texts.kept.Range(func(_, text any) bool {
		q[text.(string)] = true
		return true
	})
}

// shapes asks for all that has many shapes.
func shapes(t *testing.T, s *Store) {
	t.Helper()
	none, two := []string(nil), []string{"a", "b"}
	for i := range 36 {
		f := store.AccessTokenFilter{
			Personal: i%2 == 0, Application: i/2%2 == 0,
			Subjects: [][]string{none, two[:1], two}[i/4%3], Clients: [][]string{none, two[:1], two}[i/12],
		}
		_, err := s.ListAccessTokens(t.Context(), "t", f, 0, 9)
		_, err2 := s.CountAccessTokens(t.Context(), "t", f)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
	}
	for i := range 24 {
		q := store.RefreshTokenQuery{
			Subject: []string{"", "s"}[i%2], Search: []string{"", "c"}[i/2%2], Descending: i/4%2 == 0,
			Order: []string{store.RefreshByCreation, store.RefreshByClient, store.RefreshByMobile}[i/8],
		}
		_, err := s.ListRefreshTokens(t.Context(), "t", q)
		_, err2 := s.CountRefreshTokens(t.Context(), "t", q)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
	}
}

// useIndexes wants every statement to find its rows by an index, and to need no order
// of its own. All rows are one tenant's: the tenant finds nothing.
//
// The plans are those that PostgreSQL makes for statements that are kept, whatever
// their arguments, and it is free to choose: what it could do, if it wanted, would tell
// nothing of what it does.
func (q queries) useIndexes(t *testing.T, c cluster) {
	s := open(t, c.SocketURL(c.database(t)))
	shapes(t, s)
	q.of(s)
	q[record] = true
	fill(t, s)
	db := s.db
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(t.Context(), "SET plan_cache_mode = force_generic_plan"); err != nil {
		t.Fatal(err)
	}
	for _, query := range slices.Sorted(maps.Keys(q)) {
		for _, complaint := range planOf(t, s, query).complaints(query) {
			t.Errorf("%s\n%s", complaint, query)
		}
	}
	if len(q) < 150 {
		t.Errorf("only %d statements were looked at", len(q))
	}
}

// filledRows is how many rows the tables have.
const filledRows = 20_000

// fill fills every table but those that have few rows, and has them analysed.
func fill(t *testing.T, s *Store) {
	t.Helper()
	special := map[string]string{
		"tenant": "'t'", "subject": "convert_to('s' || g, 'UTF8')", "client": "convert_to('c' || g % 100, 'UTF8')",
		"is_opaque": "(g % 20 = 0)::int", "revoked_at": "0", "mobile": "g % 2", "organisation": "g / 50", "kind": "convert_to('k' || g % 5, 'UTF8')",
		"disabled": "0", "state": "'state'", "role": "'role'",
	}
	for _, table := range relational.Tables() {
		if slices.Contains(few(), table) {
			continue
		}
		const columns = `SELECT quote_ident(attname), atttypid = 'bytea'::regtype FROM pg_attribute
			WHERE attrelid = $1::text::regclass AND attnum > 0 AND attgenerated = ''`
		rows, err := s.db.QueryContext(t.Context(), columns, table)
		if err != nil {
			t.Fatal(err)
		}
		var names, values []string
		for rows.Next() {
			var name string
			var isText bool
			if err := rows.Scan(&name, &isText); err != nil {
				t.Fatal(err)
			}
			value, ok := special[name]
			switch {
			case ok:
			case isText:
				value = "convert_to('x' || g, 'UTF8')"
			default:
				value = "g"
			}
			names, values = append(names, name), append(values, value)
		}
		_ = rows.Close()
		insert := fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM generate_series(1, %d) AS g",
			table, strings.Join(names, ", "), strings.Join(values, ", "), filledRows)
		if _, err := s.db.ExecContext(t.Context(), insert); err != nil {
			t.Fatal(table, err)
		}
	}
	if _, err := s.db.ExecContext(t.Context(), "ANALYZE"); err != nil {
		t.Fatal(err)
	}
}

// step is one of a plan.
type step struct {
	Kind  string `json:"Node Type"`
	Table string `json:"Relation Name"`
	Index string `json:"Index Name"`
	By    string `json:"Index Cond"`
	Rows  int64  `json:"Plan Rows"`
	Plans []step `json:"Plans"`
}

func planOf(t *testing.T, s *Store, query string) step {
	t.Helper()
	arguments := len(slices.Compact(slices.Sorted(slices.Values(regexp.MustCompile(`\$\d+`).FindAllString(query, -1)))))
	execute := "one"
	if arguments > 0 {
		execute += "(NULL" + strings.Repeat(", NULL", arguments-1) + ")"
	}
	if _, err := s.db.ExecContext(t.Context(), "PREPARE one AS "+query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	var text []byte
	err := s.db.QueryRowContext(t.Context(), "EXPLAIN (FORMAT JSON) EXECUTE "+execute).Scan(&text)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if _, err := s.db.ExecContext(t.Context(), "DEALLOCATE one"); err != nil {
		t.Fatal(err)
	}
	var plans []struct{ Plan step }
	if err := json.Unmarshal(text, &plans); err != nil || len(plans) != 1 {
		t.Fatal(err, string(text))
	}
	return plans[0].Plan
}

// complaints are about what costs more the more rows there are.
func (p step) complaints(query string) (all []string) {
	onlyTenant := regexp.MustCompile(`^\(tenant = \$\d+\)$`).MatchString(p.By)
	isIndex, isAll := strings.Contains(p.Kind, "Index"), ofAll(query)
	switch {
	case slices.Contains(few(), p.Table):
	case p.Kind == "Seq Scan" && !isAll:
		all = append(all, "it reads all of "+p.Table)
	case isIndex && onlyTenant && !isAll && !walksTenant(query):
		all = append(all, "it reads all that a tenant has in "+p.Index)
	case isIndex && p.By == "" && !isAll:
		all = append(all, "it reads all of the index "+p.Index)
	case strings.HasSuffix(p.Kind, "Sort") && p.Rows > 1000:
		all = append(all, fmt.Sprintf("it sorts %d rows", p.Rows))
	}
	for _, below := range p.Plans {
		all = append(all, below.complaints(query)...)
	}
	return all
}

// few are the tables that have few rows.
func few() []string { return []string{"tenants", "keys", "numbers", relational.Head, "history"} }

// ofAll tells whether a statement is about all that a tenant has: its properties, the
// number of its refresh tokens, what of it is to be removed.
func ofAll(query string) bool {
	return strings.Contains(query, "FROM properties WHERE tenant = $1 ORDER") ||
		strings.HasPrefix(query, "SELECT count(*) FROM refresh_tokens WHERE tenant = $1") && !strings.Contains(query, "subject =") ||
		query == "DELETE FROM refresh_tokens WHERE tenant = $1 AND created_at <= $2" ||
		query == "DELETE FROM access_tokens WHERE tenant = $1 AND created_at <= $2"
}

// walksTenant tells whether a statement is for a page or a count of all that a tenant
// has of opaque sessions or refresh tokens: it walks from the first of them, in the
// order that is asked for.
func walksTenant(query string) bool {
	walk := strings.Contains(query, "FROM sessions WHERE is_opaque = 1") || strings.Contains(query, "FROM refresh_tokens WHERE")
	return walk && (strings.Contains(query, " OFFSET $") || strings.HasPrefix(query, "SELECT count(*) FROM"))
}

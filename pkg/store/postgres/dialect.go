package postgres

import (
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/ats-auth/ats-auth/pkg/store/relational"
)

// lastInstant is the end of what would last beyond it. The sums are NUMERIC, which
// cannot overflow.
const lastInstant = "9223372036854775807"

func dialect() *relational.Dialect {
	const folded = "decode(lower(encode(%, 'escape') COLLATE \"C\"), 'escape')"
	return &relational.Dialect{
		Names: names,
		Union: union,
		Purge: purge,
		// The escape form is ASCII, so lower changes nothing but letters of it.
		Holds: "position(" + strings.Replace(folded, "%", "?::bytea", 1) + " IN " + strings.Replace(folded, "%", "client", 1) + ") > 0",
		RetireKey: `UPDATE keys SET state = ?, not_after = least(
			coalesce(nullif(not_after, 0), ` + lastInstant + `), ?::numeric + 1000000 * greatest(?::numeric, longest_ttl)) WHERE id = ?`,
		StretchKey: `UPDATE keys SET longest_ttl = greatest(longest_ttl, ?), not_after = CASE not_after WHEN 0 THEN 0
			ELSE greatest(not_after, least(` + lastInstant + `, ?::numeric + 1000000 * ?::numeric)) END WHERE id = ?`,
	}
}

const names = "SELECT decode(jsonb_array_elements_text(convert_from(?, 'UTF8')::jsonb), 'hex')"

// union takes a page of each subject and of each client: so a page costs no more than
// as many walks, however many tokens there are. What is in an array is looked up one by
// one: of rows that a LIMIT gives, whose argument it does not know, PostgreSQL expects
// so many that it had rather read the whole table.
func union(u relational.Union) (condition string, args []any) {
	const page = " AND number > ? ORDER BY number LIMIT ?) AS page"
	return "number = ANY (ARRAY(SELECT page.number FROM (" + names + " AS name) AS one, LATERAL (SELECT number FROM " + u.FromSubject + " AND subject = one.name" + page +
			" UNION SELECT page.number FROM (" + names + " AS name) AS one, LATERAL (SELECT number FROM " + u.FromClient + " AND client = one.name" + page + "))",
		[]any{u.SubjectList, u.Tenant, u.After, u.Limit, u.ClientList, u.Tenant, u.After, u.Limit}
}

// purge finds the rows by their place, which stays while they are locked.
func purge(table, key, end string) string {
	return "DELETE FROM " + table + " WHERE ctid = ANY (ARRAY(SELECT ctid FROM " + table +
		" WHERE " + end + " <> 0 AND " + end + " < ? ORDER BY " + end + ", " + key + " LIMIT ? FOR UPDATE SKIP LOCKED))"
}

// texts keeps the statements of package relational as PostgreSQL reads them.
type texts struct {
	index *regexp.Regexp
	kept  sync.Map
}

func newTexts() *texts { return &texts{index: regexp.MustCompile(` INDEXED BY \w+`)} }

// of leaves out the names of indexes and counts the arguments. No statement has a
// question mark in a text of its own.
func (t *texts) of(query string) string {
	if text, ok := t.kept.Load(query); ok {
		return text.(string)
	}
	var text strings.Builder
	for i, part := range strings.Split(t.index.ReplaceAllString(query, ""), "?") {
		if i > 0 {
			text.WriteString("$" + strconv.Itoa(i))
		}
		text.WriteString(part)
	}
	t.kept.Store(query, text.String())
	return text.String()
}

// values makes of arguments what the columns hold: bytes of texts, numbers of flags.
func values(args []any) []any {
	for i, arg := range args {
		switch value := arg.(type) {
		case string:
			args[i] = []byte(value)
		case bool:
			args[i] = int64(0)
			if value {
				args[i] = int64(1)
			}
		}
	}
	return args
}

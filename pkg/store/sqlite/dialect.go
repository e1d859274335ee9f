package sqlite

import "github.com/ats-auth/ats-auth/pkg/store/relational"

// lastInstant is the end of what would last beyond it: SQLite makes a REAL of a
// sum that overflows, and that is the greater one.
const lastInstant = "9223372036854775807"

func dialect() *relational.Dialect {
	return &relational.Dialect{
		Names: "SELECT CAST(unhex(value) AS TEXT) FROM json_each(?)",
		Union: union,
		Purge: purge,
		// The texts are compared as bytes, since a search of text begins at whole
		// letters only.
		Holds: "instr(CAST(lower(client) AS BLOB), CAST(lower(?) AS BLOB)) > 0",
		Head: `SELECT lower(hex(epoch)), (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'revocations')
			FROM history WHERE one = 1`,
		RetireKey: `UPDATE keys SET state = ?, not_after = min(
			coalesce(nullif(not_after, 0), ` + lastInstant + `), ? + 1000000 * max(?, longest_ttl)) WHERE id = ?`,
		StretchKey: `UPDATE keys SET longest_ttl = max(longest_ttl, ?), not_after = CASE not_after WHEN 0 THEN 0
			ELSE max(not_after, min(` + lastInstant + `, ? + 1000000 * ?)) END WHERE id = ?`,
	}
}

// union walks along the indexes of all subjects and clients at once. The rows of walk
// that wait are a queue by number, as its ORDER BY makes it: the one with the least
// number comes out, and the next token of its subject or client goes in. So a page
// costs a few steps for each name and for each token in it, however many tokens there
// are.
//
// As many rows as there may be steps have the page in them: each name gives one to
// begin with and one at its end, and a token comes twice at most, for its subject and
// for its client.
func union(u relational.Union) (condition string, args []any) {
	const next = " AND number > walk.number ORDER BY number LIMIT 1)"
	steps := 2 * (int64(u.Subjects+u.Clients) + min(int64(u.Limit), 1<<40))
	return `number IN (WITH RECURSIVE walk (subject, client, number) AS (
		SELECT CAST(unhex(value) AS TEXT), NULL, ? FROM json_each(?)
		UNION ALL SELECT NULL, CAST(unhex(value) AS TEXT), ? FROM json_each(?)
		UNION ALL SELECT walk.subject, walk.client, coalesce(
			(SELECT number FROM ` + u.FromSubject + ` AND subject = walk.subject` + next + `,
			(SELECT number FROM ` + u.FromClient + ` AND client = walk.client` + next + `)
			FROM walk WHERE walk.number IS NOT NULL
		ORDER BY 3 LIMIT ?)
		SELECT number FROM walk WHERE number > ?)`,
		[]any{u.After, u.SubjectList, u.After, u.ClientList, u.Tenant, u.Tenant, steps, u.After}
}

func purge(table, key, end string) string {
	return "DELETE FROM " + table + " WHERE (" + key + ") IN (SELECT " + key + " FROM " + table +
		" WHERE " + end + " <> 0 AND " + end + " < ? ORDER BY " + end + ", " + key + " LIMIT ?)"
}

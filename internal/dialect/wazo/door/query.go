package door

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query is the part of a list that is asked for.
type query struct {
	offset, limit int
	order         string
	descending    bool
	search        string
}

// maxLimit is how much of a list one answer holds.
const maxLimit = 1000

// readQuery reads what lists are asked with; orders are what the list can be sorted
// by, the usual one first. Of a name that is sent more than once the first counts,
// and one that is none is nobody's business.
func readQuery(c *call, orders ...string) (query, error) {
	q := query{limit: maxLimit, order: orders[0]}
	values, err := url.ParseQuery(c.URL.RawQuery)
	if err != nil {
		return q, errInvalid("query", "it cannot be read")
	}
	for name := range values {
		if !q.set(name, values.Get(name), orders) {
			return q, errInvalid(name, "")
		}
	}
	return q, nil
}

// set takes one value; false: it cannot be meant.
func (q *query) set(name, value string, orders []string) (ok bool) {
	switch name {
	case "limit":
		n, err := strconv.ParseUint(value, 10, 31)
		q.limit = int(min(n, maxLimit))
		return err == nil
	case "offset":
		n, err := strconv.ParseUint(value, 10, 31)
		q.offset = int(n)
		return err == nil
	case "order":
		q.order = value
		return slices.Contains(orders, value)
	case "direction":
		q.descending = strings.EqualFold(value, "desc")
		return q.descending || strings.EqualFold(value, "asc")
	case "recurse": // there is nothing beneath the tenant
		_, err := strconv.ParseBool(value)
		return err == nil
	case "search":
		q.search = value
	}
	return true
}

// part is what a query asks for of a list that is sorted already.
func part[T any](q query, all []T) []T {
	all = all[min(q.offset, len(all)):]
	return all[:min(q.limit, len(all))]
}

package door

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
)

// source is a list, by number.
type source[T any] struct {
	count func(ctx context.Context) (int64, error)
	// list returns up to limit objects whose numbers come after `after`.
	list   func(ctx context.Context, after int64, limit int) ([]T, error)
	number func(T) int64
}

// inMemory is a list that has been read, by number.
func inMemory[T any](rows []T, number func(T) int64) source[T] {
	return source[T]{
		count: func(context.Context) (int64, error) { return int64(len(rows)), nil },
		list: func(_ context.Context, after int64, limit int) ([]T, error) {
			from := sort.Search(len(rows), func(i int) bool { return number(rows[i]) > after })
			return rows[from:min(from+limit, len(rows))], nil
		},
		number: number,
	}
}

// query is the part of a list that is asked for.
type query struct {
	page   int64 // from 1
	size   int
	after  int64 // the last number of the page before; -1: not told
	filter url.Values
}

// readQuery reads a query. A filter that is none is refused, as it would be taken
// for one that all match.
func readQuery(v *visit, filters ...string) (q query, err error) {
	values, err := url.ParseQuery(v.r.URL.RawQuery)
	if err != nil {
		return q, errBad("The query cannot be read.")
	}
	q = query{page: 1, size: awx.PageSize, after: -1, filter: url.Values{}}
	for name := range values {
		value := values.Get(name)
		switch name {
		case "page":
			q.page, err = whole(value, errInvalidPage)
		case "page_size":
			if n, parseErr := strconv.ParseUint(value, 10, 31); parseErr == nil && n > 0 {
				q.size = int(min(n, awx.PageMost))
			}
		case "after":
			if q.after, err = strconv.ParseInt(value, 10, 64); err != nil || q.after < 0 {
				err = errBad("after: want a number that a link of this list holds.")
			}
		case "order_by":
			if value != "id" {
				err = errBad("order_by: lists are ordered by id.")
			}
		case "format":
		default:
			if !slices.Contains(filters, name) {
				err = errBad(fmt.Sprintf("This list has no field named %q to filter by.", shorten(name)))
			}
			q.filter.Set(name, value)
		}
		if err != nil {
			return q, err
		}
	}
	return q, nil
}

func whole(text string, otherwise error) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 1 {
		return 0, otherwise
	}
	return n, nil
}

// link is this list at another page.
func (q query) link(v *visit, page, after int64) *string {
	values := maps.Clone(q.filter)
	values.Set("page", strconv.FormatInt(page, 10))
	if q.size != awx.PageSize {
		values.Set("page_size", strconv.Itoa(q.size))
	}
	if after >= 0 {
		values.Set("after", strconv.FormatInt(after, 10))
	}
	text := v.r.URL.EscapedPath() + "?" + values.Encode()
	return &text
}

// servePage answers with a part of a list. A link holds where the next page begins,
// so that each costs the same; a page that is asked for by its number alone costs
// what comes before it.
func servePage[T, W any](v *visit, q query, s source[T], write func(T) (W, error)) error {
	ctx := v.r.Context()
	count, err := s.count(ctx)
	if err != nil {
		return err
	}
	after := q.after
	if after < 0 {
		if after, err = skipPages(ctx, q, s, count); err != nil {
			return err
		}
	}
	rows, err := s.list(ctx, after, q.size+1)
	if err != nil {
		return err
	}
	page := awx.Page[W]{Count: count, Results: []W{}}
	if len(rows) > q.size {
		rows = rows[:q.size]
		page.Next = q.link(v, q.page+1, s.number(rows[q.size-1]))
	}
	if q.page > 1 {
		page.Previous = q.link(v, q.page-1, -1)
	}
	for _, row := range rows {
		object, err := write(row)
		if err != nil {
			return err
		}
		page.Results = append(page.Results, object)
	}
	reply(v.w, http.StatusOK, page)
	return nil
}

// skipPages finds where a page begins that is asked for by its number alone.
func skipPages[T any](ctx context.Context, q query, s source[T], count int64) (after int64, err error) {
	const most = 1000
	skip := (q.page - 1) * int64(q.size)
	if skip > 0 && skip >= count {
		return 0, errInvalidPage
	}
	for skip > 0 {
		rows, err := s.list(ctx, after, int(min(skip, most)))
		if err != nil {
			return 0, err
		}
		if len(rows) == 0 {
			return 0, errInvalidPage
		}
		after, skip = s.number(rows[len(rows)-1]), skip-int64(len(rows))
	}
	return after, nil
}

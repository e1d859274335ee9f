package ats

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

var errNotJSON = errors.New("a json body is expected")

// requestBody reads members of a JSON body and remembers the first that is of
// the wrong type, in the words of the original's schema checker.
type requestBody struct {
	object *token.Object
	err    error
}

// body reads the request's body, with the members that must be there. It
// answers what is wrong itself. Without required members an empty body is fine.
func (h *handler) body(w http.ResponseWriter, r *http.Request, required ...string) (*requestBody, bool) {
	raw, err := dialect.ReadBody(w, r)
	switch {
	case errors.Is(err, dialect.ErrTooLarge):
		text(w, http.StatusRequestEntityTooLarge)
		return nil, false
	case err != nil:
		malformed(w, errNotJSON)
		return nil, false
	case len(raw) == 0 && len(required) == 0:
		raw = []byte("{}")
	case !json.Valid(raw):
		malformed(w, errNotJSON)
		return nil, false
	}
	o, err := token.ParseObject(string(raw))
	if err != nil {
		malformed(w, errors.New(strings.TrimPrefix(err.Error(), token.ErrMalformed.Error()+": ")))
		return nil, false
	}
	for _, name := range required {
		if !o.Has(name) {
			malformed(w, fmt.Errorf("'%s' is a required property", name))
			return nil, false
		}
	}
	return &requestBody{object: o}, true
}

// isGrown reports whether a member was given that an original client does not
// know: who knows it reads the members that have grown in the answer.
func (b *requestBody) isGrown() bool {
	return slices.ContainsFunc([]string{"refresh", "ttl", "refresh_ttl", "scope"}, b.object.Has)
}

func (b *requestBody) text(name string) string {
	if !b.object.Has(name) {
		return ""
	}
	s, ok := b.object.String(name)
	if !ok {
		b.wrong(name, "string")
	}
	return s
}

func (b *requestBody) flag(name string) bool {
	v, ok := b.object.Raw(name)
	if !ok {
		return false
	}
	flag, err := strconv.ParseBool(string(v))
	if err != nil || len(v) < 4 {
		b.wrong(name, "boolean")
	}
	return flag
}

func (b *requestBody) seconds(name string) int64 {
	v, ok := b.object.Raw(name)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	if err != nil || n < 0 {
		b.wrong(name, "number of seconds")
	}
	return n
}

// wrong says which member is of the wrong type, without its value: it may be a
// password.
func (b *requestBody) wrong(name, want string) {
	if b.err == nil {
		b.err = fmt.Errorf("'%s' is not of type '%s'", name, want)
	}
}

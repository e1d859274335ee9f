package door

import (
	"errors"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/wazo"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// admit lets in who may do what a path does. A user that is called "me" is who asks,
// under its own name from here on: a list that says "me" gives that as well.
func (h *Handler) admit(c *call, access string) error {
	list := c.Header.Values(wazo.HeaderToken)
	if len(list) != 1 {
		return errUnauthorized
	}
	p, err := h.passOf(c.Request, list[0])
	if errors.Is(err, errNoToken) {
		return errUnauthorized
	}
	if err != nil {
		return err
	}
	if strings.HasPrefix(access, "auth.users.") && c.ids[0] == wazo.Me {
		c.ids[0] = p.UUID()
	}
	if !allows(p, filled(access, c.ids)) {
		return errUnauthorized
	}
	c.pass = p
	return nil
}

// filled puts what a path names into an access, each as one word.
func filled(access string, ids []string) string {
	var b strings.Builder
	for i, part := range strings.Split(access, variable) {
		if i > 0 {
			b.WriteString(strings.ReplaceAll(ids[i-1], ".", "_"))
		}
		b.WriteString(part)
	}
	return b.String()
}

// userOf is the name of the user that a path names by a UUID.
func (h *Handler) userOf(c *call) (string, error) {
	if c.ids[0] == c.pass.UUID() {
		return c.pass.Subject(), nil
	}
	u, err := h.Door.UserByUUID(c.Context(), c.ids[0])
	if errors.Is(err, token.ErrUnknown) {
		return "", errNoUser
	}
	return u.Name, err
}

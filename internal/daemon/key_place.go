package daemon

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// String is what an answer begins with.
func (p keyPlace) String() string { return p.door + ", tenant " + p.tenant }

// answer is what a change of a key answers, for programs.
func (p keyPlace) answer(id string) map[string]string {
	return map[string]string{"door": p.door, "tenant": p.tenant, "kid": id}
}

// place is the place with its door and tenant named; the door is open.
func (a *app) place(p keyPlace) (keyPlace, error) {
	config, err := a.load()
	if err != nil {
		return p, err
	}
	return p.at(config.doors())
}

// at finds the place where these doors are open: the usual one of the tenant, or
// the only one that can be meant.
func (p keyPlace) at(open []string) (keyPlace, error) {
	usual, tenant := shared, cmp.Or(p.tenant, store.DefaultTenant)
	if tenant != store.DefaultTenant {
		usual = tapis
	}
	found := keyPlace{cmp.Or(p.door, usual), tenant}
	// The ats door knows the default tenant alone.
	only := len(open) == 1 && (usual == shared || open[0] != shared)
	switch {
	case slices.Contains(open, found.door):
		return found, nil
	case p.door == "" && only:
		return keyPlace{open[0], tenant}, nil
	case p.door == "":
		return p, &command.UsageError{
			Problem: fmt.Sprintf("the %s door, the usual one of the tenant %s, is not open; open: %s", usual, tenant, strings.Join(open, ", ")),
			Hint:    "--door names another",
		}
	case !slices.Contains(server.Dialects(), p.door):
		return p, command.Usage("door %q is not one of %s", p.door, strings.Join(server.Dialects(), ", "))
	}
	return p, refuse("the door %q is not open; open: %s", p.door, strings.Join(open, ", "))
}

// doors are those that are open.
func (c *config) doors() []string {
	if len(c.server.Dialects) == 0 {
		return server.DefaultDialects()
	}
	return c.server.Dialects
}

// rotation is the place of a new key, whose algorithm there must be.
func (a *app) rotation(f rotationFlags) (keyPlace, error) {
	place, err := a.place(f.keyPlace)
	if err != nil || f.algorithm == "" || strings.HasPrefix(f.algorithm, "HS") {
		return place, err
	}
	err = signing.CheckAlgorithm(f.algorithm)
	switch {
	case err == nil:
		return place, nil
	case place.door == shared:
		return place, command.Usage("algorithm %q is not HS256, the one of the %s door", f.algorithm, place.door)
	}
	return place, &command.UsageError{Problem: err.Error()}
}

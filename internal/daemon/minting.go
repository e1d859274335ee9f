package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// openMinting names the tenants in which anybody on this machine mints tokens.
func (v *values) openMinting() []string {
	var open []string
	for _, tenant := range v.names("tenant") {
		if v.flag("tenant "+tenant, "open_minting") {
			open = append(open, tenant)
		}
	}
	return open
}

// checkMinting refuses open minting where more than this machine is let in, or
// where there is no door to mint at.
func (c *config) checkMinting(v *values) {
	for _, tenant := range c.server.OpenMinting {
		section := "tenant " + tenant
		switch {
		case !loopback(c.listen):
			v.wrong(section, "open_minting", "possible with [server] listen = "+oneLine(c.listen)+", which is not a loopback address")
		case c.server.BehindProxy:
			v.wrong(section, "open_minting", "possible with [server] behind_proxy = true")
		case !slices.Contains(c.server.Dialects, tapis):
			v.wrong(section, "open_minting", "possible without tapis in [server] dialects")
		}
	}
}

// mintingWarnings tell of tokens for the asking.
func (c *config) mintingWarnings() []string {
	var list []string
	for _, tenant := range c.server.OpenMinting {
		list = append(list, fmt.Sprintf("[tenant %s] open_minting: whoever can call %s is anybody in the tenant %s, without credentials", tenant, c.listen, tenant))
	}
	return list
}

// strangers warn of tenants and policies that are configured and not there.
func (c *config) strangers(ctx context.Context, s *server.Server) ([]string, error) {
	var list []string
	for _, name := range c.values.names("tenant") {
		_, err := s.Tenant(ctx, name)
		switch {
		case errors.Is(err, store.ErrNotFound):
			list = append(list, fmt.Sprintf("[tenant %s] is configured, but there is no tenant %q yet: ats-auth-server tenant add %s", name, name, name))
		case err != nil:
			return nil, err
		}
	}
	more, err := c.strangersOfBackends(ctx, s)
	return append(list, more...), err
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

const (
	// maxTenants bounds of how many tenants the keys are asked for: tokens that
	// nobody has verified yet name them.
	maxTenants = 64
	// keysMinAge is how old a tenant's keys must be for others to be looked for when
	// a signature fails: its tokens do not say which key signed them.
	keysMinAge = 90 * time.Second
)

// tenantKeys verifies tokens by the keys that their tenants publish.
type tenantKeys struct {
	service *client.Client
	config  func() verifier.Config
	only    string           // the tenant that tokens must be of; empty: any of the service's
	from    string           // where that comes from
	now     func() time.Time // of the machine, whatever time tokens are judged at

	mu      sync.Mutex
	tenants map[string]*tenantJudge
}

// tenantJudge is the verifier of one tenant, or why there is none.
type tenantJudge struct {
	*strict
	err error
	at  time.Time
}

// tenantJudgeOf makes the judge of the tokens of a service's tenants.
func (a *app) tenantJudgeOf(service *client.Client, adjust func(*verifier.Config)) *judge {
	return &judge{tenants: &tenantKeys{
		service: service, now: time.Now, tenants: make(map[string]*tenantJudge),
		config: func() verifier.Config {
			c := a.verifierConfig()
			adjust(&c)
			return c
		},
	}}
}

// verify judges a token by the keys of the tenant that it names. All of them are
// the service's word, whichever it names.
func (t *tenantKeys) verify(ctx context.Context, raw string) (*token.Claims, error) {
	decoded, err := token.Decode(raw)
	if err != nil {
		return nil, err
	}
	name, _ := decoded.Claims.String("tapis/tenant_id")
	switch {
	case name == "":
		return nil, wrongTenant("missing, and required here")
	case t.only != "" && name != t.only:
		return nil, wrongTenant(fmt.Sprintf("%q is not %q, which comes from %s", safe(name), safe(t.only), t.from))
	}
	j := t.judge(ctx, name, 0)
	if j.err != nil {
		return nil, j.err
	}
	claims, err := j.Verify(ctx, raw)
	if errors.Is(err, token.ErrSignature) {
		if newer := t.judge(ctx, name, keysMinAge); newer != j && newer.err == nil {
			return newer.Verify(ctx, raw)
		}
	}
	return claims, err
}

func wrongTenant(reason string) error {
	return &token.ClaimError{Claim: "tapis/tenant_id", Kind: token.ErrClaims, Reason: reason}
}

// judge is the verifier of a tenant, made anew when it is older than that; 0: of
// any age.
func (t *tenantKeys) judge(ctx context.Context, name string, most time.Duration) *tenantJudge {
	t.mu.Lock()
	defer t.mu.Unlock()
	j := t.tenants[name]
	switch {
	case j != nil && (most == 0 || t.now().Sub(j.at) < most):
		return j
	case j == nil && len(t.tenants) == maxTenants:
		return &tenantJudge{err: wrongTenant(fmt.Sprintf("the tokens name more than %d tenants", maxTenants))}
	}
	j = &tenantJudge{at: t.now()}
	j.strict, j.err = t.fetch(ctx, name)
	t.tenants[name] = j
	return j
}

func (t *tenantKeys) fetch(ctx context.Context, name string) (*strict, error) {
	text, issuer, err := t.service.Keys(ctx, name)
	if errors.Is(err, token.ErrUnknown) {
		return nil, wrongTenant(fmt.Sprintf("%q is no tenant of %s", safe(name), t.service.URL()))
	}
	if err != nil {
		return nil, err
	}
	keys, err := verifier.ParseKeys(text)
	if err != nil {
		return nil, token.Refuse(token.ErrUnavailable, "the key of the tenant %s cannot be read: %v", safe(name), err)
	}
	set, err := verifier.NewKeySet(public(keys)...)
	if err != nil {
		return nil, token.Refuse(token.ErrUnavailable, "the keys of the tenant %s cannot be used: %v", safe(name), err)
	}
	c := t.config()
	if c.Source = set; c.Issuer == "" {
		c.Issuer = issuer
	}
	return newStrict(c)
}

// public leaves out secrets: what is published is none.
func public(keys []verifier.Key) []verifier.Key {
	var list []verifier.Key
	for _, k := range keys {
		if k.Public != nil {
			list = append(list, k)
		}
	}
	return list
}

// warnings are those of all keys that were used.
func (t *tenantKeys) warnings(ctx context.Context) (list []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, j := range t.tenants {
		if j.err == nil {
			list = append(list, j.Warnings(ctx)...)
		}
	}
	return list
}

// dialectRule is what a dialect demands of an access token beyond what all do; nil:
// nothing. Tapis signs its refresh tokens with the same key.
func (a *app) dialectRule() func(*token.Claims) error {
	if a.dialect() != "tapis" {
		return nil
	}
	return func(c *token.Claims) error {
		kind, ok := c.String("tapis/token_type")
		if ok && kind == "access" {
			return nil
		}
		reason := fmt.Sprintf("%q is not \"access\"", safe(kind))
		if !ok {
			reason = "missing, and required here"
		}
		return &token.ClaimError{Claim: "tapis/token_type", Kind: token.ErrClaims, Reason: reason}
	}
}

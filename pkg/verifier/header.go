package verifier

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// headers remembers headers of tokens that verified, with the keys that may have
// signed them, since an issuer uses very few. Only who has a key can fill it.
type headers struct {
	mu   sync.Mutex // for writers
	seen atomic.Pointer[map[string]judged]
}

type judged struct {
	set     *KeySet
	signers []candidate
}

const maxHeaders = 64

// signers returns what is remembered of a header under the keys in force.
func (h *headers) signers(segment string, set *KeySet) ([]candidate, bool) {
	seen := h.seen.Load()
	if seen == nil {
		return nil, false
	}
	j, ok := (*seen)[segment]
	return j.signers, ok && j.set == set
}

func (h *headers) remember(segment string, set *KeySet, signers []candidate) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := make(map[string]judged, maxHeaders)
	if seen := h.seen.Load(); seen != nil && len(*seen) < maxHeaders {
		maps.Copy(next, *seen)
	}
	next[strings.Clone(segment)] = judged{set, signers}
	h.seen.Store(&next)
}

// judgeHeader judges the first segment and returns the keys that may have signed
// such a token, and the set they are of.
func (v *Verifier) judgeHeader(ctx context.Context, segment string, set *KeySet) ([]candidate, *KeySet, error) {
	h, err := token.DecodeHeader(segment)
	if err == nil {
		err = v.judgeMembers(h)
	}
	if err != nil {
		return nil, nil, err
	}
	signers, known, err := set.candidates(h, v.allowWeak)
	if !known {
		if set, err = v.source.KeySet(ctx, set); err != nil {
			return nil, nil, err
		}
		signers, _, err = set.candidates(h, v.allowWeak)
	}
	return signers, set, err
}

// judgeMembers applies RFC 8725 sections 3.5 and 3.9 to 3.11.
func (v *Verifier) judgeMembers(h token.Header) error {
	if len(v.algorithms) > 0 && !slices.Contains(v.algorithms, h.Algorithm) {
		return &token.ClaimError{
			Claim: "header alg", Kind: token.ErrClaims,
			Reason: fmt.Sprintf("%q is not %s", clip(h.Algorithm), strings.Join(v.algorithms, " or ")),
		}
	}
	for _, name := range []string{"crit", "b64", "zip"} {
		if h.Has(name) {
			return &token.ClaimError{Claim: "header " + name, Reason: "not implemented here, so the token is refused (RFC 7515 section 4.1.11)", Kind: token.ErrClaims}
		}
	}
	if h.Has("cty") {
		return &token.ClaimError{Claim: "header cty", Reason: "nested tokens are not read", Kind: token.ErrClaims}
	}
	typ := strings.TrimPrefix(strings.ToLower(h.Type), "application/")
	if !slices.Contains(v.types, typ) || typ == "" && h.Has("typ") {
		return &token.ClaimError{Claim: "header typ", Reason: fmt.Sprintf("%q is not a type of token accepted here", clip(h.Type)), Kind: token.ErrClaims}
	}
	return nil
}

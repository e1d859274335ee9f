package verifier

import (
	"errors"
	"net/http"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// holds judges whether a request proves possession of the key that its token is
// bound to.
func (v *Verifier) holds(r *http.Request, raw string, claims *token.Claims) error {
	wrong := func(reason string) error {
		return &token.ClaimError{Claim: "cnf", Reason: reason, Kind: token.ErrClaims}
	}
	bound, err := boundTo(claims)
	if err != nil {
		return wrong(err.Error())
	}
	proofs := r.Header.Values("DPoP")
	if len(proofs) != 1 {
		return wrongProof("proof", ErrProof, "%d DPoP headers, one is needed", len(proofs))
	}
	thumbprint, err := v.proofs.Verify(r.Context(), ProofRequest{Proof: proofs[0], Method: r.Method, URL: v.address(r), AccessToken: raw})
	if err != nil {
		return err
	}
	if thumbprint != bound {
		return wrong("the token is bound to another key than that of the proof")
	}
	return nil
}

// boundTo returns the thumbprint that a token is bound to.
func boundTo(claims *token.Claims) (string, error) {
	text, ok := claims.Member("cnf")
	if !ok {
		return "", errors.New("missing: the token is bound to no key and was sent as one that is")
	}
	cnf, err := token.ParseObject(text)
	if err != nil {
		return "", errors.New("not an object")
	}
	jkt, ok := cnf.String("jkt")
	if !ok || jkt == "" || len(cnf.Names()) != 1 {
		return "", errors.New("the token is bound by other means than jkt alone, which are not looked at here")
	}
	return jkt, nil
}

// address is the URL of a request as its sender knows it. The path is taken as it
// was sent: handlers before this one may have shortened r.URL.
func (v *Verifier) address(r *http.Request) string {
	path := r.RequestURI
	if !strings.HasPrefix(path, "/") { // a proxy's form, or no request of a server's
		path = r.URL.EscapedPath()
	}
	path, _, _ = strings.Cut(path, "?")
	path = strings.ReplaceAll(path, "#", "%23") // no fragment is ever sent
	if v.baseURL != "" {
		return v.baseURL + path
	}
	if r.TLS != nil {
		return "https://" + r.Host + path
	}
	return "http://" + r.Host + path
}

// sendNonce gives the sender a nonce for its next proof (RFC 9449 section 9).
func (v *Verifier) sendNonce(w http.ResponseWriter) {
	if next := v.proofs.NextNonce; next != nil {
		w.Header().Set("DPoP-Nonce", next())
	}
}

// proofCode is the error code for a proof that was not accepted; empty where err
// is about something else.
func proofCode(err error) string {
	switch {
	case errors.Is(err, ErrProofNonce):
		return "use_dpop_nonce"
	case errors.Is(err, ErrProof):
		return "invalid_dpop_proof"
	}
	return ""
}

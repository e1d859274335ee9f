package issuer

import (
	"crypto/hmac"
	"encoding/base64"
	"hash"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// A handle is what the holder of a record has in hand: its ID, and a MAC that
// nobody else can make. Nothing of it is stored. The prefix says what it is a
// handle of, and lets scanners find it where it should not be.
const (
	codePrefix    = "ats_ac_" // authorization code
	keptPrefix    = "ats_kc_" // authorization code of a door whose tokens are rows
	devicePrefix  = "ats_dc_" // device code
	browserPrefix = "ats_bs_" // a browser's login
)

func (i *Issuer) handle(prefix string, id store.ID) token.Secret {
	b := id[:]
	i.handleMAC.with(func(mac hash.Hash) {
		mac.Reset()
		mac.Write([]byte(prefix))
		mac.Write(id[:])
		b = mac.Sum(b)
	})
	return token.NewSecret(prefix + base64.RawURLEncoding.EncodeToString(b))
}

func (i *Issuer) parseHandle(prefix string, t token.Secret) (id store.ID, ok bool) {
	encoded, found := strings.CutPrefix(t.Reveal(), prefix)
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if !found || err != nil || len(b) != 16+32 {
		return id, false
	}
	copy(id[:], b)
	return id, hmac.Equal([]byte(i.handle(prefix, id).Reveal()), []byte(t.Reveal()))
}

// FormToken is what a form must carry so that it is known to come from a page of
// ours: it belongs to a cookie that no other site can read.
func (i *Issuer) FormToken(cookie string) string { return i.mark("form:", cookie) }

// NonceMark is what makes a nonce known for one of ours.
func (i *Issuer) NonceMark(stamp string) string { return i.mark("nonce:", stamp) }

// mark is a MAC of a value for one purpose; no purpose is the beginning of
// another.
func (i *Issuer) mark(purpose, value string) string {
	var sum []byte
	i.handleMAC.with(func(mac hash.Hash) {
		mac.Reset()
		mac.Write([]byte(purpose + value))
		sum = mac.Sum(nil)
	})
	return base64.RawURLEncoding.EncodeToString(sum)
}

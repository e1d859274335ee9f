package door

import (
	"encoding/base64"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// credentials are those of the Authorization header; false: it has none, or what
// cannot be any.
func credentials(r *http.Request) (who token.Credentials, ok bool) {
	list := r.Header.Values("Authorization")
	if len(list) != 1 {
		return who, false
	}
	scheme, encoded, _ := strings.Cut(list[0], " ")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil || !strings.EqualFold(scheme, "Basic") {
		return who, false
	}
	name, pass, ok := strings.Cut(decoded(raw), ":")
	return token.Credentials{Username: name, Password: token.NewPassword(pass)}, ok && name != "" && pass != ""
}

// decoded reads UTF-8, and what is none as ISO 8859-1: some programs write that.
func decoded(raw []byte) string {
	if utf8.Valid(raw) {
		return string(raw)
	}
	runes := make([]rune, len(raw))
	for i, b := range raw {
		runes[i] = rune(b)
	}
	return string(runes)
}

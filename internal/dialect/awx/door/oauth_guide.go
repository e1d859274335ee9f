package door

import (
	"html/template"
	"net/http"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
)

// oauthCalls describes the usual calls.
func (h *Handler) oauthCalls() string {
	return strings.NewReplacer("{token}", h.URL+awx.PathToken, "{revoke}", h.URL+awx.PathRevoke, "{authorize}", h.URL+awx.PathAuthorize).Replace(calls)
}

const calls = `These calls are for the tokens of applications. Personal access tokens are made and
deleted under /api/v2/.

CLIENT_ID:CLIENT_SECRET is of the application. A public one has no secret: it sends
client_id in the body in the place of -u.

A token for the password of a user, from an application of the grant type password:

    curl -u CLIENT_ID:CLIENT_SECRET -d grant_type=password -d username=USER \
        -d password=PASSWORD -d scope=read {token}

A new pair for a refresh token. The old pair is void then:

    curl -u CLIENT_ID:CLIENT_SECRET -d grant_type=refresh_token \
        -d refresh_token=REFRESH_TOKEN {token}

The end of a token, by the value of the access token or of the refresh token:

    curl -u CLIENT_ID:CLIENT_SECRET -d token=TOKEN {revoke}

A code, from an application of the grant type authorization-code: in a browser, at

    {authorize}?response_type=code&client_id=CLIENT_ID&redirect_uri=REDIRECT_URI&state=STATE

The token for it:

    curl -u CLIENT_ID:CLIENT_SECRET -d grant_type=authorization_code -d code=CODE \
        -d redirect_uri=REDIRECT_URI {token}

A public application sends code_challenge, with code_challenge_method=S256, and then
code_verifier besides (RFC 7636). An application of the grant type implicit asks with
response_type=token and finds the token in the fragment of its redirect URI. One of the
grant type client-credentials gets a token of its own:

    curl -u CLIENT_ID:CLIENT_SECRET -d grant_type=client_credentials {token}
`

// guide shows the calls as they are: no script, no style, nothing from elsewhere.
const (
	guideHead = "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Tokens of applications</title></head>\n<body><main><h1>Tokens of applications</h1>\n<pre>"
	guideFoot = "</pre></main></body>\n</html>\n"
)

// oauthGuide describes the usual calls to people.
func (h *Handler) oauthGuide(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'")
	w.Header().Set("Vary", "Accept")
	_, _ = w.Write([]byte(guideHead + template.HTMLEscapeString(h.oauthCalls()) + guideFoot))
}

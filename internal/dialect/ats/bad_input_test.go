package ats

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect"
)

func TestABadBodyIsRefusedWithoutItsValues(t *testing.T) {
	const login, refresh, all = "/user/login", "/user/refresh", "/user/logout_all"
	const expected = "a json body is expected"
	good := `"username":"marco","password":"hunter2"`
	for _, c := range []struct{ name, path, body, want string }{
		{"nothing", login, "", expected},
		{"spaces", login, "  \n", expected},
		{"broken", login, `{"username":"marco","password":"hunter2"`, expected},
		{"two objects", login, "{" + good + "}{}", expected},
		{"a comma too many", login, "{" + good + ",}", expected},
		{"single quotes", login, "{'username':'hunter2'}", expected},
		{"not a number", login, "{" + good + `,"ttl":NaN}`, expected},
		{"a byte order mark", login, "\ufeff{" + good + "}", expected},
		{"a control character", login, "{\"password\":\"hun\x00ter2\"}", expected},
		{"an open string", login, `{"password":"hunter2`, expected},
		{"deep beyond reason", login, strings.Repeat("[", 30000) + strings.Repeat("]", 30000), expected},
		{"an array", login, `["marco","hunter2"]`, "Malformed request: not a JSON object"},
		{"a text", login, `"hunter2"`, "Malformed request: not a JSON object"},
		{"null", login, `null`, "Malformed request: not a JSON object"},
		{"deep", login, "{" + good + `,"x":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + "}", "Malformed request: JSON: nested deeper than 16"},
		{"a member twice", login, `{"username":"a","username":"b","password":"hunter2"}`, `Malformed request: JSON: member "username" stands twice`},
		{"a member twice, escaped", login, `{"password":"x","pass\u0077ord":"hunter2"}`, `Malformed request: JSON: member "password" stands twice`},
		{"no text", login, "{\"username\":\"marco\",\"password\":\"hunter2\xff\"}", "Malformed request: JSON: invalid UTF-8 at offset 39"},
		{"half a letter", login, `{"username":"marco","password":"hunter2\ud800"}`, "Malformed request: JSON: a lone surrogate at offset 45"},
		{"too many members", login, "{" + manyMembers(300) + good + "}", "Malformed request: JSON: more than 256 members"},
		{"no name", login, `{"password":"hunter2"}`, "Malformed request: 'username' is a required property"},
		{"no password", login, `{"username":"hunter2"}`, "Malformed request: 'password' is a required property"},
		{"other letters", login, `{"Username":"marco","PASSWORD":"hunter2"}`, "Malformed request: 'username' is a required property"},
		{"a name that is a number", login, `{"username":1234,"password":"hunter2"}`, "Malformed request: 'username' is not of type 'string'"},
		{"a name that is null", login, `{"username":null,"password":"hunter2"}`, "Malformed request: 'username' is not of type 'string'"},
		{"a password that is a number", login, `{"username":"marco","password":1234}`, "Malformed request: 'password' is not of type 'string'"},
		{"a password that is an object", login, `{"username":"marco","password":{"hunter2":"hunter2"}}`, "Malformed request: 'password' is not of type 'string'"},
		{"a password that is an array", login, `{"username":"marco","password":["hunter2"]}`, "Malformed request: 'password' is not of type 'string'"},
		{"refresh as a text", login, "{" + good + `,"refresh":"true"}`, "Malformed request: 'refresh' is not of type 'boolean'"},
		{"refresh as a number", login, "{" + good + `,"refresh":1}`, "Malformed request: 'refresh' is not of type 'boolean'"},
		{"refresh as null", login, "{" + good + `,"refresh":null}`, "Malformed request: 'refresh' is not of type 'boolean'"},
		{"ttl as a text", login, "{" + good + `,"ttl":"60"}`, "Malformed request: 'ttl' is not of type 'number of seconds'"},
		{"ttl below zero", login, "{" + good + `,"ttl":-1}`, "Malformed request: 'ttl' is not of type 'number of seconds'"},
		{"ttl with a fraction", login, "{" + good + `,"ttl":1.5}`, "Malformed request: 'ttl' is not of type 'number of seconds'"},
		{"ttl beyond numbers", login, "{" + good + `,"ttl":9223372036854775808}`, "Malformed request: 'ttl' is not of type 'number of seconds'"},
		{"refresh_ttl as a flag", login, "{" + good + `,"refresh_ttl":true}`, "Malformed request: 'refresh_ttl' is not of type 'number of seconds'"},
		{"scope as an array", login, "{" + good + `,"scope":["hunter2"]}`, "Malformed request: 'scope' is not of type 'string'"},
		{"refresh: nothing", refresh, "", expected},
		{"refresh: no token", refresh, `{"token":"hunter2"}`, "Malformed request: 'refresh_token' is a required property"},
		{"refresh: a number", refresh, `{"refresh_token":1234}`, "Malformed request: 'refresh_token' is not of type 'string'"},
		{"logout_all: broken", all, `{`, expected},
		{"logout_all: an array", all, `[]`, "Malformed request: not a JSON object"},
		{"logout_all: a number", all, `{"user":1234}`, "Malformed request: 'user' is not of type 'string'"},
	} {
		authority := &core{}
		r := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
		r.Header.Set("Authorization", "Bearer "+jwt)
		w := httptest.NewRecorder()
		newTestHandler(authority).ServeHTTP(w, r)
		if w.Code != 400 || w.Header().Get("Content-Type") != plainText || w.Body.String() != c.want {
			t.Errorf("%s: %d %q %q, want 400 %q", c.name, w.Code, w.Header().Get("Content-Type"), w.Body, c.want)
		}
		if strings.Contains(w.Body.String(), "hunter2") || strings.Contains(w.Body.String(), "1234") {
			t.Errorf("%s: the answer says a value: %q", c.name, w.Body)
		}
		if len(authority.voided) != 0 {
			t.Errorf("%s: voided %v", c.name, authority.voided)
		}
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`"m`)
		b.WriteString(strings.Repeat("x", i))
		b.WriteString(`":0,`)
	}
	return b.String()
}

// endless counts how much of it is read.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	if e.read >= 10<<20 {
		return 0, io.EOF
	}
	n := copy(b, strings.Repeat(" ", min(len(b), 4096)))
	e.read += n
	return n, nil
}

func TestAHugeBodyIsRefusedAndNotRead(t *testing.T) {
	for _, path := range []string{"/user/login", "/user/refresh", "/user/logout_all"} {
		body := &endless{}
		r := httptest.NewRequest(http.MethodPost, path, body)
		r.Header.Set("Authorization", "Bearer "+jwt)
		w := httptest.NewRecorder()
		newTestHandler(&core{}).ServeHTTP(w, r)
		if w.Code != 413 || w.Header().Get("Content-Type") != plainText || w.Body.String() != "413: Request Entity Too Large" {
			t.Errorf("%s: %d %q %q", path, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		if body.read > 2*dialect.MaxBody {
			t.Errorf("%s: %d bytes were read", path, body.read)
		}
	}
}

func TestABodyOfTheLargestSizeIsRead(t *testing.T) {
	body := `{"username":"marco","password":"sesame"}`
	r := httptest.NewRequest(http.MethodPost, "/user/login", strings.NewReader(body+strings.Repeat(" ", dialect.MaxBody-len(body))))
	w := httptest.NewRecorder()
	newTestHandler(&core{}).ServeHTTP(w, r)
	if w.Code != 200 {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestAnOddAuthorizationIsRefused(t *testing.T) {
	const missing = "{\n    \"error\": \"Missing authentication header\"\n}"
	const malformed = "{\n    \"error\": \"malformed token\"\n}"
	for _, c := range []struct{ header, want string }{
		{"", missing},
		{" ", missing},
		{"Bearer", missing},
		{"Bearer ", missing},
		{"Bearer \t ", missing},
		{jwt, missing},
		{"Basic bWFyY286aHVudGVyMg==", missing},
		{"Bearer" + jwt, missing},
		{"Token " + jwt, missing},
		{"Bearer: " + jwt, missing},
		{"Bearer " + jwt + " " + jwt, malformed},
		{"Bearer " + jwt + ", Bearer " + jwt, malformed},
		{`Bearer "` + jwt + `"`, malformed},
		{"Bearer ../../etc/passwd", malformed},
		{"Bearer ' or 1=1--", malformed},
		{"Bearer \xff\xfe", malformed},
		{"Bearer " + strings.Repeat("A", 1<<20), malformed},
		{"Bearer " + strings.Repeat(".", 1<<16), malformed},
	} {
		for _, path := range []string{"/user/check", "/user/logout_all"} {
			authority := &core{}
			r := httptest.NewRequest(http.MethodPost, path, nil)
			r.Header.Set("Authorization", c.header)
			r.Header.Set("X-Auth-UserId", "marco")
			w := httptest.NewRecorder()
			newTestHandler(authority).ServeHTTP(w, r)
			if w.Code != 401 || w.Body.String() != c.want || len(authority.voided) != 0 {
				t.Errorf("%s with %.60q: %d %q, voided %v; want 401 %q", path, c.header, w.Code, w.Body, authority.voided, c.want)
			}
		}
	}
}

func TestATrustedGatewayWithABearerIsJudgedByTheBearer(t *testing.T) {
	for _, header := range []string{"Bearer", "Basic bWFyY286", "Bearer revoked", "junk"} {
		authority := &core{}
		r := httptest.NewRequest(http.MethodPost, "/user/logout_all", nil)
		r.RemoteAddr = "198.51.100.7:4000"
		r.Header.Set("Authorization", header)
		r.Header.Set("X-Auth-UserId", "marco")
		w := httptest.NewRecorder()
		newTestHandler(authority).ServeHTTP(w, r)
		if w.Code != 401 || len(authority.voided) != 0 {
			t.Errorf("%q: %d, voided %v", header, w.Code, authority.voided)
		}
	}
}

func TestOtherMethodsAndPathsAreRefusedAndNeverRedirected(t *testing.T) {
	for _, path := range []string{"/user/login", "/user/logout", "/user/logout_all", "/user/refresh", "/user/check"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "post", "BREW"} {
			w := send(t, newTestHandler(&core{}), anywhere, method+" "+path+" HTTP/1.1"+python)
			if w.Code != 405 || w.Header().Get("Allow") != "POST" || w.Body.String() != "405: Method Not Allowed" || w.Header().Get("Content-Type") != plainText {
				t.Errorf("%s %s: %d, Allow %q, %q", method, path, w.Code, w.Header().Get("Allow"), w.Body)
			}
		}
	}
	for _, path := range []string{
		"/", "/user", "/user/", "/user/login/", "/user/logout/", "//user/login", "/user//login", "/user/./login", "/x/../user/login",
		"/user/Login", "/USER/LOGIN", "/user/login%00", "/user/login%2f", "/user%2flogin", "/user/log%69n", "/user/logout%5Fall", "/user/tokens/x", "/user/login;a=b", "/..%2f..%2fetc/passwd", "http://elsewhere.example.org/x",
	} {
		for _, method := range []string{"POST", "GET"} {
			w := send(t, newTestHandler(&core{}), anywhere, method+" "+path+" HTTP/1.1"+python+"\n\n"+`{"username":"marco","password":"sesame"}`)
			if w.Code != 404 || w.Body.String() != "404: Not Found" || w.Header().Get("Content-Type") != plainText || w.Header().Get("Location") != "" {
				t.Errorf("%s %s: %d %q, Location %q", method, path, w.Code, w.Body, w.Header().Get("Location"))
			}
		}
	}
	if w := send(t, newTestHandler(&core{}), anywhere, "POST /user/login?next=https://elsewhere HTTP/1.1"+python+"\n\n"+`{"username":"marco","password":"sesame"}`); w.Code != 200 {
		t.Errorf("a login with a query: %d %q", w.Code, w.Body)
	}
}

func TestAHeaderThatIsBelievedStandsThereOnce(t *testing.T) {
	const gateway = "198.51.100.7:4000"
	for name, headers := range map[string]string{
		"a good token before another":          "\nAuthorization: Bearer " + jwt + "\nAuthorization: Bearer other",
		"a good token behind another":          "\nAuthorization: Bearer other\nAuthorization: Bearer " + jwt,
		"a token behind nothing, and a user":   "\nAuthorization:\nAuthorization: Bearer other\nX-Auth-UserId: marco",
		"a user of the client's before a user": "\nX-Auth-UserId: victim\nX-Auth-UserId: marco",
		"two users and a good token":           "\nAuthorization: Bearer " + jwt + "\nX-Auth-UserId: victim\nX-Auth-UserId: marco",
	} {
		for _, path := range []string{"/user/logout_all", "/user/logout", "/user/check"} {
			authority := &core{}
			w := send(t, newTestHandler(authority), gateway, "POST "+path+" HTTP/1.1\nHost: auth"+headers)
			if w.Code != 400 || len(authority.voided) != 0 {
				t.Errorf("%s, %s: %d %q, voided %v; want 400", path, name, w.Code, w.Body, authority.voided)
			}
		}
	}
}

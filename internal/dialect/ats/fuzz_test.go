package ats

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

// post sends a body and wants an answer that is no failure, in a shape of the
// dialect.
func post(t *testing.T, path, authorization, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	newTestHandler(&core{}).ServeHTTP(w, r)
	if w.Code >= 500 {
		t.Errorf("%s: %d %q", path, w.Code, w.Body)
	}
	kind := w.Header().Get("Content-Type")
	if w.Code != 204 && kind != plainText && kind != jsonText || !utf8.Valid(w.Body.Bytes()) || w.Body.Len() > 1<<16 {
		t.Errorf("%s: %d %q %q", path, w.Code, kind, w.Body)
	}
	return w
}

func FuzzLoginBody(f *testing.F) {
	for _, seed := range []string{
		`{"username":"marco","password":"sesame"}`, `{"username":"marco","password":"sesame","refresh":true,"ttl":60,"refresh_ttl":1,"scope":"a b"}`,
		`{}`, `[]`, ``, `{"username":`, `{"username":null,"password":{}}`, `{"username":"a","username":"b","password":""}`,
		`{"username":"\ud800","password":"\u0000"}`, "{\"username\":\"\xff\"}", `{"ttl":-1e999}`, strings.Repeat(`{"a":`, 40), `{"username":"x","password":"y","ttl":"1"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w := post(t, "/user/login", "", body)
		if w.Code == 200 && !(strings.Contains(body, "{") && strings.Contains(w.Body.String(), jwt)) {
			t.Errorf("%q: %q", body, w.Body)
		}
	})
}

func FuzzRefreshBody(f *testing.F) {
	for _, seed := range []string{
		`{"refresh_token":"ats_rt_1"}`, `{"refresh_token":"ats_rt_1","ttl":60}`, `{"refresh_token":""}`, `{"refresh_token":1}`, `{"refresh_token":"a","ttl":"b"}`, `{"refresh_token":"\`, `null`, ``,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) { post(t, "/user/refresh", "", body) })
}

func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{"Bearer " + jwt, "bearer\t" + jwt, "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b.c", "Bearer ..", "\xff", "Bearer " + jwt + ","} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		for _, path := range []string{"/user/check", "/user/logout", "/user/logout_all"} {
			w := post(t, path, header, "")
			if w.Code == 200 && !strings.Contains(header, jwt) && !strings.Contains(header, "root") {
				t.Errorf("%s: %q is honoured", path, header)
			}
		}
	})
}

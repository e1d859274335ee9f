package door_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/tapis"
)

// whole is a request in which every field is right.
func whole() map[string]string {
	return map[string]string{
		"token_tenant_id": `"dev"`, "account_type": `"service"`, "token_username": `"jstubbs"`, "target_site_id": `"tacc"`,
		"access_token_ttl": "300", "generate_refresh_token": "true", "refresh_token_ttl": "600.0", "delegation_token": "true",
		"delegation_sub_tenant_id": `"far"`, "delegation_sub_username": `"ann"`, "claims": `{"a":1}`,
	}
}

// object writes members as JSON.
func object(members map[string]string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		list = append(list, fmt.Sprintf("%q:%s", name, members[name]))
	}
	return "{" + strings.Join(list, ",") + "}"
}

func (w *world) mint(body string) answer {
	w.Helper()
	return w.send("POST", tapis.PathTokens, body, append(basic("apps", testPassword), tapis.HeaderTenant, "dev")...)
}

func TestEveryFieldThatIsNotWhatItMustBeIsNamed(t *testing.T) {
	w := newWorld(t)
	w.want(w.mint(object(whole())), 200, "", "every field right")
	const (
		missing = "it is missing"
		text    = "want a string"
		label   = "want 1 to 64 letters, digits and . - _"
		name    = "want 1 to 255 bytes without control characters"
		flag    = "want true or false"
		whole_  = "want a whole number of seconds"
		most    = "want at most 200000000000 seconds"
		kind    = "want user or service"
	)
	long := func(n int) string { return `"` + strings.Repeat("x", n) + `"` }
	cases := map[string][][2]string{ // value, want; empty: fine
		"token_tenant_id": {
			{"", missing},
			{"null", missing},
			{`""`, missing},
			{"1", text},
			{`["dev"]`, text},
			{"true", text},
			{`{}`, text},
			{`"nobody"`, `there is no tenant "nobody"`},
			{`"DEV"`, `there is no tenant "DEV"`},
			{long(64), "there is no tenant " + long(64)},
			{long(65), label},
			{`"a b"`, label},
			{`"dev\u0000"`, label},
			{`"ä"`, label},
			{`"a/b"`, label},
		},
		"account_type": {
			{"", missing}, {"null", missing}, {`""`, missing}, {"1", text}, {`["user"]`, text}, {`"USER"`, kind}, {long(9999), kind}, {`"admin"`, kind},
		},
		"token_username": {
			{"", missing},
			{"null", missing},
			{`""`, missing},
			{"1", text},
			{`{"a":1}`, text},
			{long(255), ""},
			{long(256), name},
			{long(60000), name},
			{`"a\u0000b"`, name},
			{`"a\nb"`, name},
			{`"a\u009fb"`, name},
			{`"ä b"`, ""},
		},
		"target_site_id": {{"", ""}, {"null", ""}, {`""`, label}, {"1", text}, {`[]`, text}, {long(64), ""}, {long(65), label}, {`"a b"`, label}},
		"access_token_ttl": {
			{"", ""},
			{"null", ""},
			{`"300"`, whole_},
			{`""`, whole_},
			{"true", whole_},
			{"[300]", whole_},
			{"{}", whole_},
			{"300.0", ""},
			{"300.5", whole_},
			{"3e2", whole_},
			{"1e999999999", whole_},
			{"200000000000", ""},
			{"200000000001", most},
			{"9223372036854775808", most},
			{"1" + strings.Repeat("0", 5000), most},
			{"-1", ""},
			{"-1.5", whole_},
		},
		"generate_refresh_token": {{"", ""}, {"null", ""}, {"false", ""}, {`"true"`, flag}, {`""`, flag}, {"1", flag}, {"[]", flag}, {"{}", flag}},
		"refresh_token_ttl":      {{"", ""}, {"null", ""}, {`"600"`, whole_}, {"false", whole_}, {"600.25", whole_}, {"200000000001", most}, {"0", ""}},
		"delegation_token":       {{"", ""}, {"null", ""}, {"false", ""}, {`"true"`, flag}, {"1", flag}, {"[true]", flag}},
		"delegation_sub_tenant_id": {
			{"", missing}, {"null", missing}, {`""`, missing}, {"1", text}, {long(65), label}, {`"a@b"`, label},
		},
		"delegation_sub_username": {
			{"", missing}, {"null", missing}, {`""`, missing}, {"1", text}, {`[]`, text}, {long(256), name}, {`"a\tb"`, name},
		},
		"claims": {
			{"", ""},
			{"null", ""},
			{"{}", ""},
			{`"x"`, "want an object"},
			{`""`, "want an object"},
			{"[]", "want an object"},
			{"1", "want an object"},
			{`["a"]`, "want an object"},
			{`{"":1}`, `the name "" is reserved`},
			{`{"tapis/username":"x"}`, `the name "tapis/username" is reserved`},
			{`{"tapis/":1}`, `the name "tapis/" is reserved`},
			{`{"tapis/own":1}`, `the name "tapis/own" is reserved`},
			{`{"t\u0061pis/username":"x"}`, `the name "tapis/username" is reserved`},
			{`{"aud":["a","b"],"cnf":{},"exp2":"x"}`, ""},
			{`{"aud":7}`, "aud: neither a string nor an array of strings"},
			{`{"aud":[]}`, "aud: neither a string nor an array of strings"},
			{`{"big":` + long(20000) + `}`, "the token would be longer than is read anywhere"},
			{`{"a":[` + strings.Repeat(`{"b":0},`, 240) + `0]}`, "want fewer members: nobody could read the token"},
		},
	}
	for _, reserved := range []string{"jti", "iss", "sub", "tenant", "target_site", "username", "account_type", "exp"} {
		cases["claims"] = append(cases["claims"], [2]string{fmt.Sprintf(`{"fine":1,%q:"x"}`, reserved), fmt.Sprintf("the name %q is reserved", reserved)})
	}
	for field, list := range cases {
		for _, c := range list {
			members := whole()
			if members[field] = c[0]; c[0] == "" {
				delete(members, field)
			}
			a := w.mint(object(members))
			want := ""
			if c[1] != "" {
				want = "Invalid POST data: " + field + ": " + c[1]
			}
			if status := map[bool]int{true: 200, false: 400}[want == ""]; a.status != status || want != "" && a.Message != want {
				t.Errorf("%s %.60s: %d %q, want %d %q", field, c[0], a.status, a.Message, status, want)
			}
		}
	}
	if len(cases) != len(whole()) || len(w.failed) > 0 {
		t.Errorf("%d fields are tried of %d; reported %v", len(cases), len(whole()), w.failed)
	}
}

func TestWhatIsNoJSONObjectIsRefused(t *testing.T) {
	w := newWorld(t)
	for body, want := range map[string]string{
		"":       "token_tenant_id: it is missing",
		"{}":     "token_tenant_id: it is missing",
		"null":   "the body is not a JSON object that can be read: not a JSON object",
		"[]":     "the body is not a JSON object that can be read: not a JSON object",
		`"x"`:    "the body is not a JSON object that can be read: not a JSON object",
		"{} {}":  "the body is not a JSON object that can be read: text behind the JSON object, at offset 3",
		"{":      "",
		`{"a":}`: "",
		"\xff":   "",
		`{"token_username":"a","token_username":"b"}`:                              `the body is not a JSON object that can be read: JSON: member "token_username" stands twice`,
		`{"claims":{"a":1,"a":2}}`:                                                 `the body is not a JSON object that can be read: JSON: member "a" stands twice`,
		`{"claims":` + strings.Repeat(`{"a":`, 16) + `1` + strings.Repeat("}", 17): "the body is not a JSON object that can be read: JSON: nested deeper than 16",
		"{" + strings.Repeat(" ", 65536) + "}":                                     "the body is larger than 64 KiB",
		"token_tenant_id=dev":                                                      "the body is not a JSON object that can be read: not a JSON object",
	} {
		for _, path := range []string{tapis.PathTokens, tapis.PathOAuth2} {
			a := w.send("POST", path, body, basic("apps", testPassword)...)
			if a.status != 400 || !strings.HasPrefix(a.Message, "Invalid POST data: ") {
				t.Errorf("%s %.40q: %d %q", path, body, a.status, a.Message)
			}
			if path == tapis.PathTokens && want != "" && a.Message != "Invalid POST data: "+want {
				t.Errorf("%.40q: %q, want %q", body, a.Message, want)
			}
		}
	}
}

func TestWithoutDelegationItsFieldsCountForNothingButTheirType(t *testing.T) {
	w := newWorld(t)
	members := whole()
	members["delegation_token"] = "false"
	p := w.mint(object(members)).pair(w)
	if c := w.claims(p.Access.Token); c["tapis/delegation"] != false || c["tapis/delegation_sub"] != nil {
		t.Errorf("claims %v", c)
	}
	members["delegation_sub_username"] = "7"
	w.want(w.mint(object(members)), 400, "Invalid POST data: delegation_sub_username: want a string", "a number")
}

func TestBadBodiesElsewhereNameTheirField(t *testing.T) {
	w := newWorld(t)
	id, key := w.addApplication(everyGrant())
	for _, c := range []struct{ method, path, member, others string }{
		{"PUT", tapis.PathTokens, "refresh_token", ""},
		{"POST", tapis.PathRevoke, "token", ""},
		{"POST", tapis.PathOAuth2Revoke, "token", ""},
		{"POST", tapis.PathSiteRevoke, "token", ""},
		{"PUT", tapis.PathKeys, "tenant_id", ""},
		{"POST", tapis.PathOAuth2, "grant_type", ""},
		{"POST", tapis.PathOAuth2, "username", `,"grant_type":"password","password":"x"`},
		{"POST", tapis.PathOAuth2, "password", `,"grant_type":"password","username":"x"`},
		{"POST", tapis.PathOAuth2, "code", `,"grant_type":"authorization_code"`},
		{"POST", tapis.PathOAuth2, "refresh_token", `,"grant_type":"refresh_token"`},
		{"POST", tapis.PathOAuth2, "device_code", `,"grant_type":"device_code"`},
	} {
		prefix := map[string]string{"PUT": "Invalid PUT data: ", "POST": "Invalid POST data: "}[c.method]
		headers := basic(id, key)
		if c.path == tapis.PathSiteRevoke || c.path == tapis.PathKeys {
			headers = bearing(w.service("admin", "tokens"))
		}
		for _, bad := range [][2]string{
			{"null", ": it is missing"}, {`""`, ": it is missing"}, {"1", ": want a string"}, {"true", ": want a string"}, {`["x"]`, ": want a string"}, {"{}", ": want a string"},
		} {
			body := fmt.Sprintf(`{%q:%s%s}`, c.member, bad[0], c.others)
			w.want(w.send(c.method, c.path, body, headers...), 400, prefix+c.member+bad[1], c.path+" "+body)
		}
		w.want(w.send(c.method, c.path, `{"x":1`+c.others+`}`, headers...), 400, prefix+c.member+": it is missing", c.path)
		huge := fmt.Sprintf(`{%q:"%s"%s}`, c.member, strings.Repeat("x", 60000), c.others)
		if c.member == "username" || c.member == "password" {
			w.want(w.send(c.method, c.path, huge, headers...), 400, "Invalid username/password combination.", c.path+" huge")
		} else if a := w.send(c.method, c.path, huge, headers...); a.status != 400 || len(a.Message) > 300 {
			t.Errorf("%s, huge: %d %q", c.path, a.status, a.Message)
		}
	}
	if !json.Valid([]byte(object(whole()))) {
		t.Error("the object is none")
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tower is a small AWX of somebody else's, of 2018: the users admin, a superuser,
// marco and 7, the organization Default, applications and tokens. Its pages have two
// rows, whatever is asked for.
type tower struct {
	mu           sync.Mutex
	count        int
	applications []map[string]any
	tokens       []map[string]any
	values       map[string]string // by the number of a token and token or refresh_token
	codes        map[string]string // the redirect URI of a code
}

func newTower() *tower {
	return &tower{values: map[string]string{}, codes: map[string]string{}}
}

var towerUsers = []map[string]any{
	{"id": 1, "type": "user", "url": "/api/v2/users/1/", "username": "admin", "is_superuser": true},
	{"id": 2, "type": "user", "url": "/api/v2/users/2/", "username": "marco", "is_superuser": false},
	{"id": 3, "type": "user", "url": "/api/v2/users/3/", "username": "7", "is_superuser": false},
}

// caller is who asks, and whether they may write; nil: nobody.
func (o *tower) caller(r *http.Request) (user map[string]any, write bool) {
	name, password, basic := r.BasicAuth()
	for _, u := range towerUsers {
		if basic && u["username"] == name && password == "s3cre7 %:é" {
			return u, true
		}
	}
	bearer, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	for _, t := range o.tokens {
		if isBearer && o.values[fmt.Sprint(t["id"], "token")] == bearer {
			return towerUsers[t["user"].(int)-1], strings.Contains(t["scope"].(string), "write")
		}
	}
	return nil, false
}

type answer struct {
	status int
	body   any
}

func detail(status int, text string) answer { return answer{status, map[string]string{"detail": text}} }

func (o *tower) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !strings.HasSuffix(r.URL.Path, "/") {
		http.Redirect(w, r, r.URL.Path+"/", http.StatusMovedPermanently)
		return
	}
	if r.URL.Path == "/api/o/authorize/" {
		o.authorize(w, r)
		return
	}
	var a answer
	if strings.HasPrefix(r.URL.Path, "/api/o/") {
		a = o.grant(r)
	} else {
		a = o.api(r)
	}
	if a.body == nil {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(a.status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body)
}

func (o *tower) api(r *http.Request) answer {
	user, write := o.caller(r)
	_, _, basic := r.BasicAuth()
	switch {
	case user == nil && basic:
		return detail(http.StatusUnauthorized, "Invalid username/password.")
	case user == nil:
		return detail(http.StatusUnauthorized, "Authentication credentials were not provided. To establish a login session, visit /api/login/.")
	case r.Method != http.MethodGet && !write:
		return detail(http.StatusForbidden, "You do not have permission to perform this action.")
	}
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body)
	parts := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, "/api/v2/"), "/"), "/")
	switch {
	case parts[0] == "me":
		return rowsOf(r, []map[string]any{user})
	case parts[0] == "organizations":
		return rowsOf(r, []map[string]any{{"id": 4, "type": "organization", "name": "Old"}, {"id": 5, "type": "organization", "name": "Older"}, {"id": 1, "type": "organization", "name": "Default"}})
	case parts[0] == "users" && len(parts) == 3:
		return o.users(r, user, parts, body)
	case parts[0] == "tokens" && len(parts) == 1:
		return rowsOf(r, o.visible(user))
	case parts[0] == "tokens":
		return o.token(r, user, parts[1], body)
	case parts[0] == "applications" && len(parts) == 1 && r.Method == http.MethodPost:
		return o.application(user, body)
	case parts[0] == "applications" && len(parts) == 1:
		return rowsOf(r, o.applications)
	case parts[0] == "applications":
		i := slices.IndexFunc(o.applications, func(a map[string]any) bool { return fmt.Sprint(a["id"]) == parts[1] })
		switch {
		case i < 0:
			return detail(http.StatusNotFound, "Not found.")
		case r.Method == http.MethodDelete:
			o.tokens = slices.DeleteFunc(o.tokens, func(t map[string]any) bool { return t["application"] == o.applications[i]["id"] })
			o.applications = slices.Delete(o.applications, i, i+1)
			return answer{http.StatusNoContent, nil}
		}
		return answer{http.StatusOK, o.applications[i]}
	}
	return answer{http.StatusNotFound, nil}
}

// rowsOf is two rows of a list, with links as an AWX writes them.
func rowsOf(r *http.Request, rows []map[string]any) answer {
	number, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil {
		number = 1
	}
	link := func(n int) any {
		if n < 1 || (n-1)*2 >= len(rows) {
			return nil
		}
		q := r.URL.Query()
		q.Set("page", strconv.Itoa(n))
		return r.URL.Path + "?" + q.Encode()
	}
	from, to := min((number-1)*2, len(rows)), min(number*2, len(rows))
	return answer{http.StatusOK, map[string]any{
		"count": len(rows), "next": link(number + 1), "previous": link(number - 1), "results": append([]map[string]any{}, rows[from:to]...),
	}}
}

func (o *tower) visible(user map[string]any) []map[string]any {
	var rows []map[string]any
	for _, t := range o.tokens {
		if t["user"] == user["id"] || user["is_superuser"] == true {
			rows = append(rows, t)
		}
	}
	return rows
}

// users is a user's lists, by the number or the name; a name of digits is a number.
func (o *tower) users(r *http.Request, user map[string]any, parts []string, body map[string]any) answer {
	i := slices.IndexFunc(towerUsers, func(u map[string]any) bool {
		return fmt.Sprint(u["id"]) == parts[1] || u["username"] == parts[1] && parts[1] != "7"
	})
	switch {
	case i < 0:
		return detail(http.StatusNotFound, "Not found.")
	case r.Method == http.MethodGet && parts[2] == "tokens":
		rows := slices.DeleteFunc(o.visible(user), func(t map[string]any) bool { return t["user"] != towerUsers[i]["id"] })
		return rowsOf(r, rows)
	case r.Method != http.MethodPost || parts[2] != "personal_tokens":
		return detail(http.StatusMethodNotAllowed, fmt.Sprintf("Method %q not allowed.", r.Method))
	}
	if a := badScope(body["scope"]); a.status != 0 {
		return a
	}
	if body["application"] != nil {
		return answer{http.StatusBadRequest, map[string]any{"application": []string{"No."}}}
	}
	return answer{http.StatusCreated, o.issue(user, nil, body["scope"].(string), body["description"].(string))}
}

func badScope(scope any) answer {
	if slices.Contains([]any{"read", "write", "read write", "write read"}, scope) {
		return answer{}
	}
	return answer{http.StatusBadRequest, map[string]any{
		"scope": []string{"Must be a simple space-separated string with allowed scopes ['read', 'write']."},
	}}
}

// issue makes a token, and returns it with its values.
func (o *tower) issue(user, application map[string]any, scope, description string) map[string]any {
	o.count++
	id, now := o.count, time.Now().UTC()
	summary := map[string]any{"user": map[string]any{"id": user["id"], "username": user["username"], "first_name": "", "last_name": ""}}
	t := map[string]any{
		"id": id, "type": "o_auth2_access_token", "url": fmt.Sprintf("/api/v2/tokens/%d/", id),
		"related":        map[string]any{"user": user["url"], "activity_stream": fmt.Sprintf("/api/v2/tokens/%d/activity_stream/", id)},
		"summary_fields": summary, "created": now.Format("2006-01-02T15:04:05.000000Z"), "modified": now.Format("2006-01-02T15:04:05.000000Z"),
		"description": description, "user": user["id"], "token": "************", "refresh_token": nil, "application": nil,
		"expires": now.AddDate(1000, 0, 0).Format("2006-01-02T15:04:05.000000Z"), "scope": scope,
	}
	shown := map[string]any{}
	o.values[fmt.Sprint(id, "token")] = fmt.Sprintf("Access%024d", id)
	if application != nil {
		summary["application"] = map[string]any{"id": application["id"], "name": application["name"]}
		t["application"], t["refresh_token"] = application["id"], "************"
		o.values[fmt.Sprint(id, "refresh_token")] = fmt.Sprintf("Refresh%023d", id)
		shown["refresh_token"] = o.values[fmt.Sprint(id, "refresh_token")]
	}
	o.tokens = append(o.tokens, t)
	for name, value := range t {
		if _, own := shown[name]; !own {
			shown[name] = value
		}
	}
	shown["token"] = o.values[fmt.Sprint(id, "token")]
	return shown
}

func (o *tower) token(r *http.Request, user map[string]any, id string, body map[string]any) answer {
	i := slices.IndexFunc(o.tokens, func(t map[string]any) bool { return fmt.Sprint(t["id"]) == id })
	switch {
	case i < 0:
		return detail(http.StatusNotFound, "Not found.")
	case o.tokens[i]["user"] != user["id"] && user["is_superuser"] != true:
		return detail(http.StatusForbidden, "You do not have permission to perform this action.")
	case r.Method == http.MethodDelete:
		o.drop(i)
		return answer{http.StatusNoContent, nil}
	case r.Method == http.MethodPatch:
		if scope, given := body["scope"]; given {
			if a := badScope(scope); a.status != 0 {
				return a
			}
			o.tokens[i]["scope"] = scope
		}
		if text, given := body["description"]; given {
			o.tokens[i]["description"] = text
		}
	}
	return answer{http.StatusOK, o.tokens[i]}
}

func (o *tower) drop(i int) {
	delete(o.values, fmt.Sprint(o.tokens[i]["id"], "token"))
	delete(o.values, fmt.Sprint(o.tokens[i]["id"], "refresh_token"))
	o.tokens = slices.Delete(o.tokens, i, i+1)
}

func (o *tower) application(user, body map[string]any) answer {
	wrong := map[string]any{}
	for _, name := range []string{"name", "client_type", "authorization_grant_type", "organization"} {
		if body[name] == nil || body[name] == "" {
			wrong[name] = []string{"This field is required."}
		}
	}
	switch {
	case len(wrong) > 0:
		return answer{http.StatusBadRequest, wrong}
	case user["is_superuser"] != true:
		return detail(http.StatusForbidden, "You do not have permission to perform this action.")
	}
	o.count++
	a := map[string]any{
		"id": o.count, "type": "o_auth2_application", "url": fmt.Sprintf("/api/v2/applications/%d/", o.count), "created": "2018-06-01T20:17:15.123456Z",
		"summary_fields": map[string]any{"organization": map[string]any{"id": body["organization"], "name": "Default"}, "tokens": map[string]any{"count": 0, "results": []any{}}},
		"client_id":      fmt.Sprintf("client%034d", o.count), "client_secret": strings.Repeat("x", 120) + fmt.Sprintf("%08d", o.count),
	}
	for _, name := range []string{"name", "description", "client_type", "redirect_uris", "authorization_grant_type", "skip_authorization", "organization"} {
		a[name] = body[name]
	}
	if body["client_type"] == "public" {
		delete(a, "client_secret")
	}
	o.applications = append(o.applications, a)
	return answer{http.StatusCreated, a}
}

// oauthError is one of RFC 6749, with the status of oauthlib 2.0.6.
func oauthError(status int, code string) answer {
	return answer{status, map[string]string{"error": code}}
}

func (o *tower) grant(r *http.Request) answer {
	if r.Method != http.MethodPost || r.ParseForm() != nil {
		return answer{http.StatusMethodNotAllowed, nil}
	}
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	id, _ = url.QueryUnescape(id)
	i := slices.IndexFunc(o.applications, func(a map[string]any) bool { return a["client_id"] == id })
	if i < 0 || o.applications[i]["client_secret"] != nil && o.applications[i]["client_secret"] != secret {
		return oauthError(http.StatusUnauthorized, "invalid_client")
	}
	application, form := o.applications[i], r.PostForm
	if r.URL.Path == "/api/o/revoke_token/" {
		return o.revoke(application, form.Get("token"))
	}
	if g := strings.ReplaceAll(form.Get("grant_type"), "_", "-"); g != "refresh-token" && g != application["authorization_grant_type"] {
		return oauthError(http.StatusUnauthorized, "unauthorized_client")
	}
	user, scope := towerUsers[1], form.Get("scope")
	if scope == "" {
		scope = "read write"
	}
	switch form.Get("grant_type") {
	case "password":
		if form.Get("username") != "marco" || form.Get("password") != "s3cre7 %:é" {
			return answer{http.StatusUnauthorized, map[string]string{"error": "invalid_grant", "error_description": "Invalid credentials given."}}
		}
	case "authorization_code":
		if back, known := o.codes[form.Get("code")]; !known || back != form.Get("redirect_uri") {
			return oauthError(http.StatusUnauthorized, "invalid_grant")
		}
		delete(o.codes, form.Get("code"))
	case "refresh_token":
		j := o.holder("refresh_token", form.Get("refresh_token"))
		if j < 0 || o.tokens[j]["application"] != application["id"] {
			return oauthError(http.StatusUnauthorized, "invalid_grant")
		}
		o.drop(j)
	}
	if badScope(scope).status != 0 {
		return oauthError(http.StatusUnauthorized, "invalid_scope")
	}
	t := o.issue(user, application, scope, "")
	return answer{http.StatusOK, map[string]any{
		"access_token": t["token"], "token_type": "Bearer", "expires_in": 315360000000, "refresh_token": t["refresh_token"], "scope": scope,
	}}
}

// holder is the place of the token that has a value; below 0: none has.
func (o *tower) holder(name, value string) int {
	return slices.IndexFunc(o.tokens, func(t map[string]any) bool { return value != "" && o.values[fmt.Sprint(t["id"], name)] == value })
}

func (o *tower) revoke(application map[string]any, value string) answer {
	for _, name := range []string{"token", "refresh_token"} {
		if i := o.holder(name, value); i >= 0 && o.tokens[i]["application"] == application["id"] {
			o.drop(i)
		}
	}
	return answer{http.StatusOK, nil}
}

// authorize is the page at which marco says yes at once.
func (o *tower) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	i := slices.IndexFunc(o.applications, func(a map[string]any) bool { return a["client_id"] == q.Get("client_id") })
	if i < 0 || q.Get("response_type") != "code" || !slices.Contains(strings.Fields(o.applications[i]["redirect_uris"].(string)), q.Get("redirect_uri")) {
		http.Error(w, "Mismatching redirect URI.", http.StatusBadRequest)
		return
	}
	o.codes["code1"] = q.Get("redirect_uri")
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {"code1"}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
}

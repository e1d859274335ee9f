package server

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func TestTheAWXDoorIsOpenBesideAllOthers(t *testing.T) {
	const tokens = "/api/v2/tokens/"
	password := func(name string) []string {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(name, testPassword)
		return []string{"Authorization", r.Header.Get("Authorization")}
	}
	closed := newWorld(t)
	closed.addUser("marco")
	closed.want(closed.post(tokens, `{}`, password("marco")...), http.StatusNotFound, "a door that is closed")

	w := newWorld(t, withDialects(Dialects()...))
	w.addUser("marco")
	w.addUser("root", store.RoleAdmin)
	w.do(w.server.SetProperty(t.Context(), "", "ACCESS_TOKEN_EXPIRE_SECONDS", "3600"))
	a := w.post(tokens, `{"description":"Tower CLI","application":null,"scope":"write"}`, password("marco")...)
	w.want(a, http.StatusCreated, "a personal token")
	raw := a.member(t, "token")
	w.wantCheck(raw, http.StatusOK, "its value at the ats door")
	w.want(w.send(http.MethodGet, "/api/v2/credentials/", "", bearer(raw)...), http.StatusOK, "its value at its own door")
	w.want(w.send(http.MethodGet, tokens, "", bearer(w.login("marco").member(t, "token"))...), http.StatusOK, "a token of the ats door")
	w.kyloLogin("marco") // beneath /api/v1/
	if list := w.send(http.MethodGet, tokens, "", password("root")...); !strings.Contains(list.body, `"count":1`) || strings.Contains(list.body, raw) {
		t.Errorf("list %s", list.body)
	}
	w.want(w.send(http.MethodDelete, tokens+fmt.Sprint(1)+"/", "", bearer(raw)...), http.StatusNoContent, "it deletes itself")
	w.wantCheck(raw, http.StatusUnauthorized, "its value afterwards")
	if strings.Contains(w.log.String(), raw) || strings.Contains(w.log.String(), testPassword) {
		t.Error("the log tells a secret")
	}
}

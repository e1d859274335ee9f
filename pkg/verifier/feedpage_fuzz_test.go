package verifier

import (
	"encoding/base64"
	"encoding/json"
	"testing"
)

// FuzzFacts holds what is read of an answer against encoding/json: what is taken is
// JSON, and says the same there.
func FuzzFacts(f *testing.F) {
	for _, seed := range []string{
		"[]", "[" + factText(RevokedToken, sixteen, 1, 2) + "]", "[" + factText(RevokedAll, "", 1, 0) + "," + factText(RevokedSubject, "a\x00b", 9, 0) + "]",
		`[["token","MDEyMzQ1Njc4OWFiY2RlZg",1,2],]`, `[["tenant","",01,2]]`, `[["tenant","",+1,2]]`, `[["tenant","=",1,2]]`, `[["all","",1,2`, `[[]]`,
		`[["client","AA",-0,2]]`, `[["client","AA",1, 2]]`, `[["client","AA",1,2]]]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		facts, err := parseFacts(text)
		if err != nil {
			return
		}
		var list [][]any
		if err := json.Unmarshal([]byte(text), &list); err != nil || len(list) != len(facts) {
			t.Fatalf("%q was taken as %d facts, and is %v, %v", text, len(facts), list, err)
		}
		for i, one := range list {
			key, err := base64.RawURLEncoding.DecodeString(one[1].(string))
			fact := facts[i]
			if err != nil || len(one) != 4 || one[0] != string(fact.Kind) || string(key) != fact.Key || one[2] != float64(fact.At) || one[3] != float64(fact.Until) {
				t.Errorf("%v was read as %+v", one, fact)
			}
		}
		new(Revocations).Add(facts...)
	})
}

// FuzzFeedPage gives the reader whatever comes; what it takes answers nobody who did
// not ask for it.
func FuzzFeedPage(f *testing.F) {
	f.Add(`{"iss":"i","tenant":"default","after":"","nonce":"n","seen":-1,"next":"c","more":false,"facts":[]}`)
	f.Add(`{"iss":"i","tenant":"default","after":"","nonce":"n","seen":1e3,"next":"c","more":0,"facts":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		page, err := parseFeedPage(text)
		if err != nil {
			return
		}
		if !json.Valid([]byte(text)) {
			t.Errorf("%q was read", text)
		}
		if page.answers("default", "c0", "a nonce of ours") == nil && page.nonce != "a nonce of ours" {
			t.Errorf("%q answers us", text)
		}
		_ = page.addTo(new(Revocations))
	})
}

package token

import "testing"

func TestAMintIsCheckedBeforeAServiceSeesIt(t *testing.T) {
	for name, c := range map[string]struct {
		mint Mint
		good bool
	}{
		"nothing asked for":       {Mint{}, true},
		"a delegate":              {Mint{Delegate: "files@admin"}, true},
		"an address as its name":  {Mint{Delegate: "files@example.org@admin"}, true},
		"a delegate of no tenant": {Mint{Delegate: "files"}, false},
		"half a delegate":         {Mint{Delegate: "files@"}, false},
		"the other half":          {Mint{Delegate: "@admin"}, false},
		"the seed's claims":       {Mint{Claims: `{"client_id": "123", "scope": "dev"}`}, true},
		"no claims":               {Mint{Claims: `{}`}, true},
		"names inside claims":     {Mint{Claims: `{"who":{"sub":"x","tapis/username":"y"}}`}, true},
		"another case":            {Mint{Claims: `{"Sub":"x"}`}, false},
		"its prefix in another":   {Mint{Claims: `{"Tapis/username":"x"}`}, false},
		"the long s for an s":     {Mint{Claims: "{\"\u017fub\":\"x\"}"}, false},
		"a list":                  {Mint{Claims: `["sub"]`}, false},
		"two objects":             {Mint{Claims: `{}{}`}, false},
		"one claim twice":         {Mint{Claims: `{"a":1,"a":2}`}, false},
		"an escaped name":         {Mint{Claims: `{"\u0073ub":"x"}`}, false},
		"no JSON":                 {Mint{Claims: `client_id=123`}, false},
	} {
		if err := c.mint.Check(); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, claim := range []string{"jti", "iss", "sub", "tenant", "target_site", "username", "account_type", "exp", "ttl", "tapis/", "tapis/anything"} {
		if err := (&Mint{Claims: `{"` + claim + `":1}`}).Check(); err == nil {
			t.Errorf("the claim %s can be had", claim)
		}
	}
}

func TestADelegateHasTwoParts(t *testing.T) {
	for text, want := range map[string][2]string{"files@admin": {"files", "admin"}, "a@b@c": {"a@b", "c"}, "files": {}, "@c": {}, "": {}} {
		if user, tenant := (&Mint{Delegate: text}).Actor(); user != want[0] || tenant != want[1] {
			t.Errorf("%q: %q, %q", text, user, tenant)
		}
	}
}

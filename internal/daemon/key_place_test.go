package daemon

import (
	"strings"
	"testing"
)

func TestAKeyIsAtTheUsualDoorOrAtTheOnlyOneThatIsOpen(t *testing.T) {
	for _, c := range []struct{ open, door, tenant, want string }{
		{"ats oauth2 tapis", "", "", "ats, tenant default"},
		{"tapis ats", "", "", "ats, tenant default"},
		{"tapis", "", "", "tapis, tenant default"},
		{"oauth2", "", "", "oauth2, tenant default"},
		{"ats oauth2 tapis", "", "dev", "tapis, tenant dev"},
		{"oauth2", "", "dev", "oauth2, tenant dev"},
		{"ats tapis", "tapis", "", "tapis, tenant default"},
		{"ats oauth2", "oauth2", "dev", "oauth2, tenant dev"},
		{"oauth2 tapis", "", "", "the ats door, the usual one of the tenant default, is not open; open: oauth2, tapis"},
		{"ats oauth2", "", "dev", "the tapis door, the usual one of the tenant dev, is not open; open: ats, oauth2"},
		{"ats", "", "dev", "the tapis door, the usual one of the tenant dev, is not open; open: ats"},
		{"tapis", "ats", "", `the door "ats" is not open; open: tapis`},
		{"ats", "tapiss", "", `door "tapiss" is not one of ats, oauth2, tapis, ciphertrust, awx, wazo`},
	} {
		p, err := keyPlace{c.door, c.tenant}.at(strings.Fields(c.open))
		got := p.String()
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

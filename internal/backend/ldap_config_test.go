package backend

import (
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/backend/slapdtest"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestAConfigurationIsCheckedBeforeAnybodyIsAsked(t *testing.T) {
	secret := token.NewPassword("swordfish")
	for _, c := range []struct {
		change func(*LDAPConfig)
		want   string // part of the error; empty: none
	}{
		{func(c *LDAPConfig) {}, ""},
		{func(c *LDAPConfig) { c.URL = "ldap://ldap.example.org ldap://[2001:db8::1]:3389/"; c.StartTLS = true }, ""},
		{func(c *LDAPConfig) { c.URL = "ldap://127.0.0.1:389 ldap://localhost ldap://[::1] ldap://127.8.9.1" }, ""},
		{func(c *LDAPConfig) { c.URL = "ldapi://%2Frun%2Fslapd%2Fldapi ldapi://%2Fa/" }, ""},
		{func(c *LDAPConfig) { c.BindDN, c.BindPassword = "cn=a,dc=b", secret }, ""},
		{func(c *LDAPConfig) { c.IDAttribute, c.NameAttribute = "1.3.6.1.1.16.4", "sAMAccountName" }, ""},
		{func(c *LDAPConfig) { c.UserFilter = "(&(objectClass=person)(|(uid={name})(mail={name})))" }, ""},
		{func(c *LDAPConfig) { c.GroupFilter = "(member:1.2.840.113556.1.4.1941:={dn})" }, ""},

		{func(c *LDAPConfig) { c.URL = "" }, "url is missing"},
		{func(c *LDAPConfig) { c.URL = " " }, "url is missing"},
		{func(c *LDAPConfig) { c.URL = "ldap.example.org" }, "neither ldap://"},
		{func(c *LDAPConfig) { c.URL = "http://ldap.example.org" }, "neither ldap://"},
		{func(c *LDAPConfig) { c.URL = "cldap://127.0.0.1" }, "neither ldap://"},
		{func(c *LDAPConfig) { c.URL = "ldaps://" }, "a host"},
		{func(c *LDAPConfig) { c.URL = "ldaps://:636" }, "a host"},
		{func(c *LDAPConfig) { c.URL = "ldaps://a/dc=example" }, "a host"},
		{func(c *LDAPConfig) { c.URL = "ldaps://a?uid" }, "a host"},
		{func(c *LDAPConfig) { c.URL = "ldaps://a:0" }, "no port"},
		{func(c *LDAPConfig) { c.URL = "ldaps://a:65536" }, "no port"},
		{func(c *LDAPConfig) { c.URL = "ldaps://a:swordfish" }, "not readable"},
		{func(c *LDAPConfig) { c.URL = "ldaps://u:swordfish@a" }, "bind_dn"},
		{func(c *LDAPConfig) { c.URL = "ldaps://u:swordfish%zz@a" }, "not readable"},
		{func(c *LDAPConfig) { c.URL = "ldap://ldap.example.org" }, "in clear"},
		{func(c *LDAPConfig) { c.URL = "ldaps://a ldap://128.0.0.1" }, "in clear"},
		{func(c *LDAPConfig) { c.URL = "ldap://localhost.example.org" }, "in clear"},
		{func(c *LDAPConfig) { c.StartTLS = true }, "start_tls does not go"},
		{func(c *LDAPConfig) { c.URL = "ldapi://%2Fa"; c.StartTLS = true }, "start_tls does not go"},
		{func(c *LDAPConfig) { c.URL = "ldapi://" }, "socket"},
		{func(c *LDAPConfig) { c.URL = "ldapi://relative" }, "socket"},
		{func(c *LDAPConfig) { c.URL = "ldapi://%zz" }, "socket"},
		{func(c *LDAPConfig) { c.CACert = []byte("no pem") }, "no certificate"},
		{func(c *LDAPConfig) { c.CACert = []byte{} }, "no certificate"},
		{func(c *LDAPConfig) { c.UserBase = "" }, "user_base is missing"},
		{func(c *LDAPConfig) { c.UserBase = "people" }, "user_base"},
		{func(c *LDAPConfig) { c.GroupBase = "cn=a,,b" }, "group_base"},
		{func(c *LDAPConfig) { c.BindDN = "cn=a,dc=b" }, "without bind_password"},
		{func(c *LDAPConfig) { c.BindPassword = secret }, "without bind_dn"},
		{func(c *LDAPConfig) { c.BindDN, c.BindPassword = "somebody", secret }, "bind_dn"},
		{func(c *LDAPConfig) { c.UserFilter = "uid={name}" }, "user_filter"},
		{func(c *LDAPConfig) { c.UserFilter = "(uid={name}" }, "user_filter"},
		{func(c *LDAPConfig) { c.UserFilter = "(uid=*)" }, "has no {name}"},
		{func(c *LDAPConfig) { c.UserFilter = "(uid={dn})" }, "has no {name}"},
		{func(c *LDAPConfig) { c.GroupFilter = "(cn=*)" }, "has no {dn} and no {name}"},
		{func(c *LDAPConfig) { c.GroupFilter = "({dn})" }, "group_filter"},
		{func(c *LDAPConfig) { c.NameAttribute = "u id" }, "name_attribute"},
		{func(c *LDAPConfig) { c.IDAttribute = "*" }, "id_attribute"},
		{func(c *LDAPConfig) { c.Roles = map[string][]string{"admin": {"admins"}} }, "role_admin: "},
		{func(c *LDAPConfig) { c.Policies = map[string][]string{"p": {""}} }, "policy_p: "},
		{func(c *LDAPConfig) { c.Timeout = -1 }, "timeout"},
		{func(c *LDAPConfig) { c.Timeout = 3601 }, "timeout"},
		{func(c *LDAPConfig) { c.Connections = -1 }, "connections"},
		{func(c *LDAPConfig) { c.Connections = 1001 }, "connections"},
	} {
		config := LDAPConfig{URL: "ldaps://ldap.example.org", UserBase: slapdtest.People}
		c.change(&config)
		l, err := NewLDAP(config)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", config.URL, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "swordfish")):
			t.Errorf("%q is wrong by %q: %v", config.URL, c.want, err)
		case err == nil:
			_ = l.Close()
		}
	}
}

func TestAURLNamesWhereAndHowToConnect(t *testing.T) {
	for _, c := range []struct {
		url              string
		startTLS         bool
		network, address string
		tls              string // the name that the certificate must have
	}{
		{"ldaps://ldap.example.org", false, "tcp", "ldap.example.org:636", "ldap.example.org"},
		{"ldaps://ldap.example.org:1636/", false, "tcp", "ldap.example.org:1636", "ldap.example.org"},
		{"ldap://[2001:db8::1]", true, "tcp", "[2001:db8::1]:389", "2001:db8::1"},
		{"ldap://localhost", false, "tcp", "localhost:389", ""},
		{"ldapi://%2Frun%2Fslapd%2Fldapi/", false, "unix", "/run/slapd/ldapi", ""},
	} {
		s, err := parseServer(c.url, c.startTLS, nil)
		if err != nil || s.network != c.network || s.address != c.address || s.startTLS != c.startTLS || (s.tls != nil) != (c.tls != "") {
			t.Fatalf("%s: %+v, %v", c.url, s, err)
		}
		if s.tls != nil && (s.tls.ServerName != c.tls || s.tls.InsecureSkipVerify) {
			t.Errorf("%s: the certificate's name is %q", c.url, s.tls.ServerName)
		}
	}
}

package session

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// The prefixes of keys, and what a file with the first says of the service.
const (
	prefixKsctl  = "KSCTL_"
	prefixOwn    = "ATS_AUTH_"
	ksctlDialect = "ciphertrust"
)

// version is what ATS_AUTH_VERSION may say at most; nothing is version 1.
const (
	version    = 1
	versionKey = prefixOwn + "VERSION"
)

// field is one key of the file.
type field struct {
	name   string // behind the prefix
	shared bool   // ksctl's too; all others have our prefix in its files as well
	flag   bool   // true or false
	get    func(*Login) string
	set    func(*Login, string) error
}

// spell writes a value as YAML.
func (f field) spell(value string) (string, error) {
	if f.flag {
		return value, nil
	}
	return quote(value)
}

// fields are the keys in the order of a new file: ksctl's, then ours, spelled
// as the environment variables are.
func fields() []field {
	text := func(name string, shared bool, at func(*Login) *string) field {
		return field{
			name: name, shared: shared,
			get: func(l *Login) string { return *at(l) },
			set: func(l *Login, s string) error { *at(l) = s; return nil },
		}
	}
	flag := func(name string, at func(*Login) *bool) field {
		return field{
			name: name, shared: true, flag: true,
			get: func(l *Login) string { return strconv.FormatBool(*at(l)) },
			set: func(l *Login, s string) (err error) { *at(l), err = truth(s); return err },
		}
	}
	return []field{
		flag("VERBOSITY", func(l *Login) *bool { return &l.Verbosity }),
		text("RESP", true, func(l *Login) *string { return &l.Resp }),
		text("URL", true, func(l *Login) *string { return &l.URL }),
		text("USERNAME", true, func(l *Login) *string { return &l.Username }),
		{
			name: "REFRESHTOKEN", shared: true,
			get: func(l *Login) string { return l.RefreshToken.Reveal() },
			set: func(l *Login, s string) error { l.RefreshToken = secret(s); return nil },
		},
		text("CLIENTID", true, func(l *Login) *string { return &l.ClientID }),
		flag("NOSSLVERIFY", func(l *Login) *bool { return &l.NoSSLVerify }),
		text("DIALECT", false, func(l *Login) *string { return &l.Dialect }),
		text("TENANT", false, func(l *Login) *string { return &l.Tenant }),
		text("BACKEND", false, func(l *Login) *string { return &l.Backend }),
		text("LOGIN_ID", false, func(l *Login) *string { return &l.LoginID }),
		text("ISSUER", false, func(l *Login) *string { return &l.Issuer }),
		text("SCOPE", false, func(l *Login) *string { return &l.Scope }),
		text("RESOURCE", false, func(l *Login) *string { return &l.Resource }),
		text("AUTH_METHOD", false, func(l *Login) *string { return &l.AuthMethod }),
		text("CLIENT_SECRET_FILE", false, func(l *Login) *string { return &l.ClientSecretFile }),
		text("CLIENT_KEY", false, func(l *Login) *string { return &l.ClientKey }),
		text("CLIENT_KEY_ID", false, func(l *Login) *string { return &l.ClientKeyID }),
		text("DPOP_KEY", false, func(l *Login) *string { return &l.DPoPKey }),
		text("CACERT", false, func(l *Login) *string { return &l.CACert }),
		text("CERT", false, func(l *Login) *string { return &l.Cert }),
		text("KEY", false, func(l *Login) *string { return &l.Key }),
		{name: "EXPIRES", get: expires, set: setExpires},
	}
}

// secret wraps a value, nothing for none.
func secret(s string) token.Secret {
	if s == "" {
		return token.Secret{}
	}
	return token.NewSecret(s)
}

// truth reads what people and programs write for true and false.
func truth(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "y", "1":
		return true, nil
	case "false", "no", "off", "n", "0", "":
		return false, nil
	}
	return false, errors.New("neither true nor false")
}

func expires(l *Login) string {
	if l.ExpiresAt.IsZero() {
		return ""
	}
	return l.ExpiresAt.UTC().Format(time.RFC3339)
}

func setExpires(l *Login, s string) (err error) {
	if l.ExpiresAt = (time.Time{}); s == "" {
		return nil
	}
	if l.ExpiresAt, err = time.Parse(time.RFC3339, s); err != nil {
		return errors.New("no time as in 2026-01-31T12:00:00Z") // its own text would quote the value
	}
	return nil
}

// equal reports whether two logins are written alike.
func (l Login) equal(other Login) bool {
	for _, f := range fields() {
		if f.get(&l) != f.get(&other) {
			return false
		}
	}
	return true
}

package profile

import (
	"slices"
	"strings"
	"sync"
)

// Kind says what a setting's text means.
type Kind int

// The kinds of settings.
const (
	Text      Kind = iota // any text
	Path                  // a file's name
	PathOrURL             // a file's name, a URL with a scheme, or a key in PEM
	Boolean               // true, yes, on, 1 or false, no, off, 0
	Duration              // a Go duration such as 1m30s, or plain seconds; above 0, at most 24h
	List                  // texts separated by blanks; the flag may be given again, for one more
	Port                  // a TCP port, 0 to 65535
)

// Setting is one row of the table that everything about settings is read from.
type Setting struct {
	// Name is what the code calls it, in snake case.
	Name string
	// Flag is the flag without its dashes, "" when a flag would be a mistake.
	Flag string
	// Aliases are further spellings of the flag.
	Aliases []string
	// Env are the variables, the strongest first. One that begins with KSCTL_
	// counts in the CipherTrust dialect only.
	Env []string
	// Section and Key are its place in the ini file, "" when it has none;
	// [profile NAME] takes any Key.
	Section, Key string
	// Default is its value when nothing else gives one.
	Default string
	// Secret settings print as `<redacted>`; an ini file that holds one must be
	// readable by its owner only.
	Secret bool
	// Named settings are refused in an ini file found in the current directory:
	// what they name would be run, or proven to a server that the file may name too.
	Named bool
	// Trust settings decide whom a connection trusts. Where a login is saved for the
	// service, an ini file found in the current directory has no say in them.
	Trust bool
	// Kind says how the text is read.
	Kind Kind
	// Help is one line for a person.
	Help string
}

// Settings returns the whole table, in the order of its pages.
func Settings() []Setting { return slices.Clone(table()) }

// table is made once: a command line looks at it many times.
var table = sync.OnceValue(func() []Setting {
	return slices.Concat(connection(), identity(), application(), judging(), behaviour())
})

// connection is the rows about which server and how to reach it.
func connection() []Setting {
	return []Setting{
		{
			Name: "config", Flag: "config", Env: []string{"ATS_AUTH_CONFIG"}, Kind: Path,
			Help: "ini file to read instead of searching for one",
		},
		{
			Name: "profile", Flag: "profile", Env: []string{"ATS_AUTH_PROFILE"}, Default: DefaultName,
			Help: "named set of settings and saved login",
		},
		{
			Name: "configfile", Flag: "configfile", Env: []string{"ATS_AUTH_CONFIGFILE"}, Kind: Path,
			Help: "config.yaml with the saved login, instead of the profile's own",
		},
		{
			Name: "url", Flag: "url", Env: []string{"ATS_AUTH_URL", "KSCTL_URL"}, Section: "session", Key: "server_url",
			Help: "address of the server",
		},
		{
			Name: "dialect", Flag: "dialect", Env: []string{"ATS_AUTH_DIALECT"}, Section: "client", Key: "dialect", Default: "ats",
			Help: "what the server speaks; ciphertrust when called as ksctl",
		},
		{
			Name: "tenant", Flag: "tenant", Env: []string{"ATS_AUTH_TENANT"}, Section: "client", Key: "tenant",
			Help: "tenant to log in to, and that tokens are minted in or must be of; tapis dialect",
		},
		{
			Name: "backend", Flag: "backend", Env: []string{"ATS_AUTH_BACKEND"}, Section: "client", Key: "backend",
			Help: "where the server looks the user up, xivo_user say; wazo dialect",
		},
		{
			Name: "cacert", Flag: "cacert", Env: []string{"ATS_AUTH_CACERT"}, Section: "client", Key: "cacert", Kind: Path,
			Trust: true,
			Help:  "PEM file of the authorities to trust instead of the system's",
		},
		{
			Name: "cert", Flag: "cert", Env: []string{"ATS_AUTH_CERT"}, Section: "client", Key: "cert", Kind: Path,
			Help: "PEM file of the client's certificate",
		},
		{
			Name: "key", Flag: "key", Env: []string{"ATS_AUTH_KEY"}, Section: "client", Key: "key", Kind: Path,
			Help: "PEM file of the private key that belongs to the certificate",
		},
		{
			Name: "insecure", Flag: "insecure", Aliases: []string{"nosslverify"}, Env: []string{"ATS_AUTH_INSECURE", "KSCTL_NOSSLVERIFY"},
			Section: "client", Key: "insecure", Default: "false", Kind: Boolean,
			Trust: true,
			Help:  "do not verify the server's certificate: for a test server only",
		},
		{
			Name: "timeout", Flag: "timeout", Env: []string{"ATS_AUTH_TIMEOUT"}, Section: "client", Key: "timeout", Default: "30s", Kind: Duration,
			Help: "how long to wait for an answer, in seconds or as 1m30s",
		},
	}
}

// identity is the rows about who is asking.
func identity() []Setting {
	return []Setting{
		{
			Name: "username", Flag: "username", Aliases: []string{"user"}, Env: []string{"ATS_AUTH_USERNAME", "KSCTL_USERNAME", "OS_USERNAME"},
			Section: "session", Key: "user",
			Help: "user to log in as",
		},
		{
			Name: "password_file", Flag: "password-file", Env: []string{"ATS_AUTH_PASSWORD_FILE"}, Kind: Path,
			Help: "file that holds the password",
		},
		{
			Name: "password", Flag: "password", Env: []string{"ATS_AUTH_PASSWORD", "KSCTL_PASSWORD", "OS_PASSWORD"}, Secret: true,
			Help: "password; on a command line other users can see it",
		},
		{
			Name: "password_command", Flag: "password-command", Env: []string{"ATS_AUTH_PASSWORD_COMMAND"}, Section: "client", Key: "password_command",
			Named: true,
			Help:  "command that prints the password; refused in an ini file found in the current directory",
		},
		{
			Name: "token", Env: []string{"ATS_AUTH_TOKEN", "KSCTL_JWT"}, Secret: true,
			Help: "access token to act with",
		},
		{
			Name: "refresh_token_file", Flag: "refresh-token-file", Env: []string{"ATS_AUTH_REFRESH_TOKEN_FILE"}, Kind: Path,
			Help: "file that holds the refresh token; one that takes its place is written back to it",
		},
		{
			Name: "refresh_token", Flag: "refresh-token", Env: []string{"ATS_AUTH_REFRESH_TOKEN", "KSCTL_REFRESHTOKEN"}, Secret: true,
			Help: "refresh token to trade for an access token, - for standard input; on a command line other users can see it",
		},
		{
			Name: "credential_helper", Flag: "credential-helper", Env: []string{"ATS_AUTH_CREDENTIAL_HELPER"}, Section: "client", Key: "credential_helper",
			Named: true,
			Help:  "program that keeps the saved login's refresh token, in a keyring say; refused in an ini file found in the current directory",
		},
		{
			Name: "credential_host", Flag: "credential-host", Aliases: []string{"host"}, Env: []string{"ATS_AUTH_CREDENTIAL_HOST"},
			Section: "client", Key: "credential_host", Kind: List, Named: true,
			Help: "host that git and docker may be given the token for, beside the login's own; refused in an ini file found in the current directory",
		},
	}
}

// application is the rows about which program is asking, for what and in which
// way; the ats dialect uses the scope alone.
func application() []Setting {
	return []Setting{
		{
			Name: "grant", Flag: "grant", Env: []string{"ATS_AUTH_GRANT"}, Section: "client", Key: "grant",
			Help: "way to a token: password, client-credentials, device, web or token-exchange",
		},
		{
			Name: "client_id", Flag: "client-id", Env: []string{"ATS_AUTH_CLIENT_ID", "KSCTL_CLIENTID"}, Section: "client", Key: "client_id",
			Help: "name the application is registered by",
		},
		{
			Name: "client_secret_file", Flag: "client-secret-file", Env: []string{"ATS_AUTH_CLIENT_SECRET_FILE"}, Section: "client", Key: "client_secret_file", Kind: Path,
			Named: true,
			Help:  "file that holds the application's secret; refused in an ini file found in the current directory",
		},
		{
			Name: "client_secret", Env: []string{"ATS_AUTH_CLIENT_SECRET"}, Secret: true,
			Help: "the application's secret",
		},
		{
			Name: "client_key", Flag: "client-key", Env: []string{"ATS_AUTH_CLIENT_KEY"}, Section: "client", Key: "client_key", Kind: Path,
			Named: true,
			Help:  "file of the private key by which the application proves itself (private_key_jwt); refused in an ini file found in the current directory",
		},
		{
			Name: "client_key_id", Flag: "client-key-id", Env: []string{"ATS_AUTH_CLIENT_KEY_ID"}, Section: "client", Key: "client_key_id",
			Help: "name the server knows that key by (kid)",
		},
		{
			Name: "auth_method", Flag: "auth-method", Env: []string{"ATS_AUTH_AUTH_METHOD"}, Section: "client", Key: "auth_method",
			Help: "how the application proves itself: client_secret_basic, client_secret_post, private_key_jwt or none (default: what it has and the server takes)",
		},
		{
			Name: "dpop_key", Flag: "dpop-key", Env: []string{"ATS_AUTH_DPOP_KEY"}, Section: "client", Key: "dpop_key", Kind: Path,
			Named: true,
			Help:  "file of the private key that tokens are bound to (DPoP), made where there is none; refused in an ini file found in the current directory",
		},
		{
			Name: "scope", Flag: "scope", Env: []string{"ATS_AUTH_SCOPE"}, Section: "client", Key: "scope",
			Help: "scopes to ask for, separated by blanks",
		},
		{
			Name: "resource", Flag: "resource", Env: []string{"ATS_AUTH_RESOURCE"}, Section: "client", Key: "resource", Kind: List,
			Help: "service the token is to be for, a URI; several separated by blanks",
		},
		{
			Name: "redirect_port", Flag: "redirect-port", Env: []string{"ATS_AUTH_REDIRECT_PORT"}, Section: "client", Key: "redirect_port", Default: "0", Kind: Port,
			Help: "port of this machine that the browser is sent back to; 0 is any",
		},
	}
}

// judging is the rows about which tokens are genuine.
func judging() []Setting {
	return []Setting{
		{
			Name: "jwt_secret_file", Flag: "jwt-secret-file", Aliases: []string{"secret-file"}, Env: []string{"ATS_AUTH_JWT_SECRET_FILE"},
			Section: "client", Key: "jwt_secret_file", Kind: Path,
			Help: "file that holds the shared secret tokens are signed with",
		},
		{
			Name: "jwt_secret", Env: []string{"ATS_AUTH_JWT_SECRET"}, Section: "client", Key: "jwt_secret", Secret: true,
			Help: "shared secret tokens are signed with",
		},
		{
			Name: "jwks_url", Flag: "jwks-url", Aliases: []string{"jwks", "public-key"}, Env: []string{"ATS_AUTH_JWKS_URL"},
			Section: "client", Key: "jwks_url", Kind: PathOrURL,
			Help: "URL or file of the public keys tokens are signed with (PEM, JWK or JWK set), or a PEM itself",
		},
		{
			Name: "issuer", Flag: "issuer", Env: []string{"ATS_AUTH_ISSUER"}, Section: "client", Key: "issuer",
			Help: "issuer a token must name; in the oauth2 dialect also where the server's addresses are found, without url",
		},
		{
			Name: "audience", Flag: "audience", Env: []string{"ATS_AUTH_AUDIENCE"}, Section: "client", Key: "audience",
			Help: "audience a token must be for",
		},
		{
			Name: "feed", Flag: "feed", Env: []string{"ATS_AUTH_FEED"}, Section: "client", Key: "feed",
			Help: "URL of the server that tells token verify what is revoked",
		},
	}
}

// behaviour is the rows about what the program says.
func behaviour() []Setting {
	return []Setting{
		{
			Name: "format", Flag: "format", Env: []string{"ATS_AUTH_FORMAT", "KSCTL_RESP"},
			Help: "how to print results",
		},
		{
			Name: "verbose", Flag: "verbose", Env: []string{"ATS_AUTH_VERBOSE", "KSCTL_VERBOSITY"}, Default: "false", Kind: Boolean,
			Help: "tell the story on stderr",
		},
	}
}

// settingNamed finds a row.
func settingNamed(name string) (Setting, bool) {
	for _, s := range table() {
		if s.Name == name {
			return s, true
		}
	}
	return Setting{}, false
}

// settingsOf returns the rows by key that an ini section takes; nil for a
// section that nothing knows.
func settingsOf(section string) map[string]Setting {
	_, isProfile := strings.CutPrefix(section, profilePrefix)
	if !isProfile && section != "session" && section != "client" {
		return nil
	}
	rows := make(map[string]Setting)
	for _, s := range table() {
		if s.Key != "" && (isProfile || s.Section == section) {
			rows[s.Key] = s
		}
	}
	return rows
}

package daemon

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAVariableNamesASectionAndTheLongestKeyThatEndsItWins(t *testing.T) {
	table := []setting{
		{section: "server", key: "listen"},
		{section: "backend NAME", key: "type"},
		{section: "backend NAME", key: "base"},
		{section: "backend NAME", key: "user_base"},
		{section: "backend NAME", key: "policy"},
		{section: "backend NAME", key: "policy_NAME"},
		{section: "tenant NAME", key: "open_minting"},
	}
	for variable, want := range map[string]string{
		"SERVER_LISTEN":                                       "[server] listen",
		"BACKEND_XIVO_USER_TYPE":                              "[backend xivo_user] type",
		"BACKEND_LDAP_USER_BASE":                              "[backend ldap] user_base",
		"BACKEND_LDAP_BASE":                                   "[backend ldap] base",
		"BACKEND_USER_BASE":                                   "[backend user] base",
		"BACKEND_TYPE_TYPE":                                   "[backend type] type",
		"TENANT_DEV_OPEN_MINTING":                             "[tenant dev] open_minting",
		"TENANT_My-T.2_OPEN_MINTING":                          "[tenant my-t.2] open_minting",
		"BACKEND_CORP_POLICY":                                 "[backend corp] policy",
		"BACKEND_CORP_POLICY_OPERATORS":                       "[backend corp] policy_operators",
		"BACKEND_CORP_POLICY_Read-Only.2":                     "[backend corp] policy_read-only.2",
		"BACKEND_XIVO_USER_POLICY_DEFAULT_USER_POLICY":        "[backend xivo_user] policy_default_user_policy",
		"BACKEND_CORP_POLICY_BASE":                            "[backend corp] policy_base",
		"BACKEND_CORP_POLICY_":                                "",
		"BACKEND_CORP_POLICY_A/B":                             "",
		"BACKEND_POLICY_OPERATORS":                            "",
		"BACKEND_CORP_POLICY_" + strings.Repeat("A", 65):      "",
		"TENANT_OPEN_MINTING":                                 "",
		"TENANT__OPEN_MINTING":                                "",
		"TENANT_A/B_OPEN_MINTING":                             "",
		"TENANT_DEV_OPEN_MINTIN":                              "",
		"TENANT_DEV_TYPE":                                     "",
		"BACKEND_LDAP_OPEN_MINTING":                           "",
		"SERVER_NAME_LISTEN":                                  "",
		"TENANT_" + strings.Repeat("A", 65) + "_OPEN_MINTING": "",
	} {
		s, known := named(table, variablePrefix+variable)
		if got := s.name(); known != (want != "") || known && got != want {
			t.Errorf("%s: %s, %v, want %q", variable, got, known, want)
		}
	}
}

// printed is what --print-config says of a file and an environment.
func printed(t *testing.T, file string, environ ...string) (code int, stdout, stderr string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "server.ini")
	if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, complaints bytes.Buffer
	code = Run(t.Context(), Env{
		Args: []string{"ats-auth-server", "-c", name, "--print-config"}, Stdout: &out, Stderr: &complaints, Environ: environ,
		HomeDir: t.TempDir(), UID: 1000, Interactive: func(any) bool { return false },
	})
	var lines strings.Builder
	for line := range strings.Lines(out.String()) {
		lines.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
	}
	return code, strings.ReplaceAll(lines.String(), name, "FILE"), strings.ReplaceAll(complaints.String(), name, "FILE")
}

func TestASectionComesFromTheFileOrTheEnvironmentAndKeepsTheCaseOfTheFile(t *testing.T) {
	const tapisOpen = "[server]\ndialects = ats, tapis\n"
	for _, c := range []struct {
		name, file string
		environ    []string
		want       []string
	}{
		{"the file alone", tapisOpen + "[tenant  Dev]\nopen_minting = true\n", nil, []string{"[tenant Dev]\nopen_minting = true # FILE\n"}},
		{"the environment alone", tapisOpen, []string{"TENANT_XIVO_USER_OPEN_MINTING=yes"}, []string{"[tenant xivo_user]\nopen_minting = yes # ATS_AUTH_SERVER_TENANT_XIVO_USER_OPEN_MINTING\n"}},
		{"an empty section", "[tenant dev]\n", nil, []string{"[tenant dev]\nopen_minting = false # default\n"}},
		{
			"the environment before the file, by another case", tapisOpen + "[tenant Dev]\nopen_minting = true\n",
			[]string{"TENANT_DEV_OPEN_MINTING=false"},
			[]string{"[tenant Dev]\nopen_minting = false # ATS_AUTH_SERVER_TENANT_DEV_OPEN_MINTING\n"},
		},
		{
			"two that differ in case", tapisOpen + "[tenant Dev]\n[tenant dev]\n",
			[]string{"TENANT_DEV_OPEN_MINTING=true"},
			[]string{"[tenant Dev]\nopen_minting = false # default\n", "[tenant dev]\nopen_minting = true # ATS"},
		},
		{"an empty variable is none", "[tenant dev]\n", []string{"TENANT_DEV_OPEN_MINTING=", "TENANT_OTHER_OPEN_MINTING="}, []string{"[tenant dev]\nopen_minting = false # default\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range c.environ {
				c.environ[i] = variablePrefix + c.environ[i]
			}
			code, stdout, stderr := printed(t, c.file, c.environ...)
			if code != exitOK || stderr != "" {
				t.Fatalf("%d %q", code, stderr)
			}
			for _, want := range c.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("%q is not in\n%s", want, stdout)
				}
			}
			if n := strings.Count(stdout, "[tenant "); n != len(c.want) {
				t.Errorf("%d sections of tenants, want %d:\n%s", n, len(c.want), stdout)
			}
		})
	}
}

func TestASectionThatCannotBeMeantIsRefusedByName(t *testing.T) {
	const rule = "takes a name of 1 to 64 letters, digits and . - _"
	for _, c := range []struct{ file, variable, want string }{
		{"[tenant]\n", "", "FILE:1: [tenant NAME] " + rule},
		{"[tenant a/b]\n", "", "FILE:1: [tenant NAME] " + rule},
		{"[tenant a b]\n", "", "FILE:1: [tenant NAME] " + rule},
		{"[tenant dev]\nopen_mint = 1\n", "", `FILE:2: unknown key "open_mint" in [tenant dev], did you mean "open_minting"`},
		{"[tenant dev]\nlisten = 1\n", "", `FILE:2: unknown key "listen" in [tenant dev], it belongs in [server]`},
		{"[server]\nopen_minting = 1\n", "", `FILE:2: unknown key "open_minting" in [server], it belongs in [tenant NAME]`},
		{"[tennant dev]\n", "", "FILE:1: unknown section [tennant dev]"},
		{"[tenant dev]\nopen_minting = 1\nopen_minting = 0\n", "", "FILE:3: open_minting is given again, it stands in line 2"},
		{"[tenant dev]\nopen_minting = maybe\n", "", `[tenant dev] open_minting = "maybe" (from FILE) is not true or false`},
		{"", "TENANT_DEV_OPEN_MINT=true", `ATS_AUTH_SERVER_TENANT_DEV_OPEN_MINT in the environment names no setting, did you mean "ATS_AUTH_SERVER_TENANT_DEV_OPEN_MINTING"`},
		{"", "TENANT_XIVO_USER_OPN_MINTING=true", `ATS_AUTH_SERVER_TENANT_XIVO_USER_OPN_MINTING in the environment names no setting, did you mean "ATS_AUTH_SERVER_TENANT_XIVO_USER_OPEN_MINTING"`},
		{"", "TENANT_OPENMINTING=true", `ATS_AUTH_SERVER_TENANT_OPENMINTING in the environment names no setting, did you mean "ATS_AUTH_SERVER_TENANT_NAME_OPEN_MINTING"`},
		{"", "TENANT_DEV_OPEN_MINTING=maybe", `[tenant dev] open_minting = "maybe" (from ATS_AUTH_SERVER_TENANT_DEV_OPEN_MINTING) is not true or false`},
	} {
		var environ []string
		if c.variable != "" {
			environ = []string{variablePrefix + c.variable}
		}
		code, stdout, stderr := printed(t, c.file, environ...)
		if code != exitConfig || stdout != "" || !strings.HasPrefix(stderr, "ats-auth-server: "+c.want) {
			t.Errorf("%q %s: %d %q %q, want %q", c.file, c.variable, code, stdout, stderr, c.want)
		}
	}
}

func TestOpenMintingIsForThisMachineAlone(t *testing.T) {
	const minting = "[tenant dev]\nopen_minting = true\n"
	const refused = `ats-auth-server: [tenant dev] open_minting = "true" (from FILE) is not possible `
	for _, c := range []struct{ server, want string }{
		{"dialects = tapis", ""},
		{"dialects = tapis\nlisten = localhost:5001", ""},
		{"dialects = tapis\nlisten = [::1]:5001", ""},
		{"dialects = ats", refused + "without tapis in [server] dialects\n"},
		{"dialects = tapis\nbehind_proxy = true", refused + "with [server] behind_proxy = true\n"},
		{"dialects = tapis\nlisten = 0.0.0.0:5001\ntls = self-signed", refused + "with [server] listen = 0.0.0.0:5001, which is not a loopback address\n"},
		{"dialects = tapis\nlisten = :5001\nbehind_proxy = true", refused + "with [server] listen = :5001, which is not a loopback address\n"},
	} {
		code, _, stderr := printed(t, "[server]\n"+c.server+"\n"+minting)
		if stderr != c.want || (code == exitOK) != (c.want == "") || c.want != "" && code != exitConfig {
			t.Errorf("%q: %d %q, want %q", c.server, code, stderr, c.want)
		}
		// With nobody minting, none of it matters.
		if code, _, stderr := printed(t, "[server]\n"+c.server+"\n[tenant dev]\nopen_minting = off\n"); code != exitOK || stderr != "" {
			t.Errorf("%q without minting: %d %q", c.server, code, stderr)
		}
	}
}

func TestALifetimeIsSecondsOrANumberWithAUnit(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "300": 300, "5s": 5, "5m": 300, "2h": 7200, "30d": 2592000, "1w": 604800, "3153600000": 3153600000, "200000000000": 200000000000,
		"200000000001": -1, "9999999999999999999": -1, "2314815d": -1, "-1": -1, "": -1, "m": -1, "1y": -1, "1.5h": -1, "1h30m": -1,
	} {
		got, good := parseLifetime(text)
		if good != (want >= 0) || good && got != want {
			t.Errorf("%q: %d, %v, want %d", text, got, good, want)
		}
	}
}

package daemon

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/inifile"
)

func TestRootIsKeptFromTheAuditLogOfAnothersServer(t *testing.T) {
	base := rootsDir(t)
	mkdir(t, base+"/theirs", stranger, 0o755)
	mkdir(t, base+"/roots", 0, 0o755)
	for name, uid := range map[string]int{"theirs/there.log": stranger, "theirs/roots.log": 0, "roots/theirs.log": stranger, "roots/there.log": 0, "their.key": stranger, "roots.key": 0} {
		if err := errors.Join(os.WriteFile(base+"/"+name, nil, 0o600), os.Chown(base+"/"+name, uid, uid)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ log, key, whose string }{
		{base + "/theirs/there.log", base + "/roots.key", base + "/theirs/there.log"},
		{base + "/roots/theirs.log", base + "/roots.key", base + "/roots/theirs.log"},
		{base + "/theirs/new.log", base + "/roots.key", base + "/theirs"},
		{base + "/roots/new.log", base + "/their.key", base + "/their.key"},
		{base + "/roots/there.log", base + "/their.key", ""},
		{base + "/theirs/roots.log", base + "/roots.key", ""},
		{base + "/roots/new.log", base + "/roots.key", ""},
		{base + "/roots/new.log", "", ""},
		{"off", base + "/their.key", ""},
		{"stderr", base + "/their.key", ""},
	} {
		a := &app{Env: Env{Args: []string{"ats-auth-server", "user", "list"}}}
		config := &config{store: "postgres://u@h/d", auditLog: c.log}
		config.server.MasterKeyFile = c.key
		err := a.comeToStore(config)
		var refused *inifile.Error
		switch {
		case c.whose == "" && err != nil:
			t.Errorf("%s, key %s: %v", c.log, c.key, err)
		case c.whose != "" && (!errors.As(err, &refused) || !strings.HasPrefix(refused.Problem, c.whose+" belongs to the user 54321:54321: ") ||
			refused.Hint != "ats-auth-server -u 54321:54321 user list"):
			t.Errorf("%s, key %s: %v, want a refusal that names %s", c.log, c.key, err, c.whose)
		}
		a.UID = 4711
		if err := a.comeToStore(config); err != nil {
			t.Errorf("%s for another than root: %v", c.log, err)
		}
	}
}

package soak

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// network is a namespace for each replica. Its clients reach a replica at an address of
// the namespace; it reaches PostgreSQL at another one of this machine, the way to which
// can be taken away.
type network struct {
	block int // 10.BLOCK.0.0/16 is ours
	names []string
}

// newNetwork makes it for n replicas, or says why not.
func newNetwork(t testing.TB, n int) (*network, error) {
	t.Helper()
	w := &network{block: 64 + os.Getpid()%128}
	t.Cleanup(w.remove)
	if err := ip("addr add %s/32 dev lo", w.postgres()); err != nil {
		return nil, err
	}
	for i := range n {
		name, outside, inside := fmt.Sprintf("ats-soak-%d-%d", os.Getpid(), i), fmt.Sprintf("as%do%d", w.block, i), fmt.Sprintf("as%di%d", w.block, i)
		w.names = append(w.names, name)
		for _, command := range []string{
			"netns add " + name,
			"link add " + outside + " type veth peer name " + inside + " netns " + name,
			fmt.Sprintf("addr add %s/24 dev %s", w.gateway(i), outside),
			"link set " + outside + " up",
			"-n " + name + " link set lo up",
			fmt.Sprintf("-n %s addr add %s/24 dev %s", name, w.host(i), inside),
			"-n " + name + " link set " + inside + " up",
			fmt.Sprintf("-n %s route add %s via %s", name, w.postgres(), w.gateway(i)),
		} {
			if err := ip("%s", command); err != nil {
				return nil, err
			}
		}
	}
	return w, nil
}

func ip(format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	if text, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", line, err, text)
	}
	return nil
}

func (w *network) remove() {
	for _, name := range w.names {
		_ = ip("netns del %s", name)
	}
	_ = ip("addr del %s/32 dev lo", w.postgres())
}

func (w *network) postgres() string { return fmt.Sprintf("10.%d.255.1", w.block) }

func (w *network) gateway(i int) string { return fmt.Sprintf("10.%d.%d.1", w.block, i) }

func (w *network) host(i int) string { return fmt.Sprintf("10.%d.%d.2", w.block, i) }

// enter has a replica run in its namespace.
func (w *network) enter(i int, r *replica) {
	r.command = append([]string{"ip", "netns", "exec", w.names[i]}, r.command...)
	r.env = append(r.env, "ATS_AUTH_SERVER_SERVER_BEHIND_PROXY=true") // plain HTTP beyond loopback
}

func (w *network) cut(t testing.TB, i int) {
	if err := ip("-n %s route replace blackhole %s", w.names[i], w.postgres()); err != nil {
		t.Error(err)
	}
}

func (w *network) mend(t testing.TB, i int) {
	if err := ip("-n %s route replace %s via %s", w.names[i], w.postgres(), w.gateway(i)); err != nil {
		t.Error(err)
	}
}

// postgresSettings let PostgreSQL listen there, and trust who comes from there.
func (w *network) postgresSettings(t testing.TB) []string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hba") // which another user reads
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "pg_hba.conf")
	text := fmt.Sprintf("local all all trust\nhost all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\nhost all all 10.%d.0.0/16 trust\n", w.block)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return []string{"listen_addresses=127.0.0.1," + w.postgres(), "hba_file=" + file}
}

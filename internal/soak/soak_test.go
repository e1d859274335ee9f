//go:build unix

// Package soak is the load generator and the chaos driver: it lets many clients work
// with real servers over a real store, kills, stops and cuts off what they need, and
// holds what was answered against what was promised.
//
// It is nothing but tests, which `make soak` runs for as long as one likes: it starts
// what it kills, so it is never to be pointed at servers of somebody else's.
package soak

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"flag"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store/postgres/pgtest"
)

// options are those of the command line.
type options struct {
	length  time.Duration
	store   string
	seed    uint64
	clients int
	calm    bool
}

func TestMain(m *testing.M) {
	var o options
	flag.DurationVar(&o.length, "soak", 8*time.Second, "how long the clients work")
	flag.StringVar(&o.store, "store", "postgres", "postgres or sqlite")
	flag.Uint64Var(&o.seed, "seed", 0, "of the random choices; 0: another one each time")
	flag.IntVar(&o.clients, "clients", 12, "how many there are")
	flag.BoolVar(&o.calm, "calm", false, "let no accident happen")
	flag.Parse()
	os.Exit(m.Run())
}

// chosen reads the options, which TestMain has defined.
func chosen(t *testing.T) (o options) {
	t.Helper()
	get := func(name string) any { return flag.Lookup(name).Value.(flag.Getter).Get() }
	o = options{get("soak").(time.Duration), get("store").(string), get("seed").(uint64), get("clients").(int), get("calm").(bool)}
	if o.seed == 0 {
		o.seed = mathrand.Uint64N(1_000_000) + 1
	}
	if o.store != "postgres" && o.store != "sqlite" {
		t.Fatalf("-store %s is neither postgres nor sqlite", o.store)
	}
	return o
}

func TestWhatIsAnsweredIsKeptWhateverIsKilledOrCutOff(t *testing.T) {
	o := chosen(t)
	if o.store == "postgres" {
		soak(t, o, 3, onPostgres)
	} else {
		soak(t, o, 2, onFile)
	}
}

func TestTwoProcessesOverOneFileKeepTheSamePromises(t *testing.T) {
	o := chosen(t)
	o.length = min(o.length, 10*time.Second)
	if o.store == "sqlite" {
		t.Log("the test before this one did so")
		return
	}
	soak(t, o, 2, onFile)
}

// soak starts replicas, has clients work with them while accidents happen, and reports.
func soak(t *testing.T, o options, n int, build func(t *testing.T, w *world, n int)) {
	dir, err := os.MkdirTemp("", "ats-soak")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, rng: mathrand.New(mathrand.NewPCG(o.seed, 0)), dir: dir}
	t.Cleanup(func() {
		for _, r := range w.replicas {
			r.stop()
		}
		if !t.Failed() {
			_ = os.RemoveAll(dir)
		}
	})
	build(t, w, n)
	var peers []peer
	for _, r := range w.replicas {
		r.start(t)
		peers = append(peers, r.peer)
	}
	users := names(24)
	w.replicas[0].addUsers(t, users...)
	w.load = newLoad(newBook(dir), peers, users, time.Second, o.seed)
	w.work(o)
	if w.broken() {
		t.Errorf("promises were broken; the histories and the servers' logs are in %s; -seed %d", dir, o.seed)
	}
}

// work is the run itself. Accidents happen in the goroutine of the test, which may
// end it.
func (w *world) work(o options) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), o.length)
	defer cancel()
	began, over := time.Now(), make(chan struct{})
	go func() {
		defer close(over)
		w.run(ctx, o.clients)
	}()
	if !o.calm {
		w.disturb(ctx)
	}
	<-over
	took := time.Since(began)
	w.settle(w.Context())
	fmt.Fprintf(w.Output(), "seed %d, %s, %d clients of %d servers\n", o.seed, took.Round(time.Second), o.clients, len(w.replicas))
	w.report(w.Output(), took)
	if w.judged.logins == 0 || len(w.lags) == 0 || w.asked.ended == 0 {
		w.Error("too little was done to prove anything")
	}
}

// onPostgres is replicas over a PostgreSQL server with a standby, each in a network of its own where
// that may be made.
func onPostgres(t *testing.T, w *world, n int) {
	net, err := newNetwork(t, n)
	if err != nil {
		fmt.Fprintln(t.Output(), "NOT TESTED: A CUT NETWORK, which takes root on Linux:", err)
		net = nil
	}
	var more []string
	if net != nil {
		more = net.postgresSettings(t)
	}
	w.network, w.postgres = net, pgtest.Start(t, more...)
	url := w.postgres.URL(w.postgres.Database(t, ""))
	w.follow(more...)
	url = strings.Replace(url, w.postgres.Address(), w.postgres.Address()+","+w.standby.Address(), 1)
	if net != nil {
		url = strings.ReplaceAll(url, "127.0.0.1", net.postgres())
	}
	binary, env := buildServer(t, w.dir), settings(url, masterKey(t, w.dir))
	for i := range n {
		host := "127.0.0.1"
		if net != nil {
			host = net.host(i)
		}
		r := newReplica(t, fmt.Sprint("replica", i+1), w.dir, binary, host, env)
		if net != nil {
			net.enter(i, r)
		}
		w.replicas = append(w.replicas, r)
	}
}

// onFile is processes over one SQLite file.
func onFile(t *testing.T, w *world, n int) {
	binary, env := buildServer(t, w.dir), settings("sqlite:"+filepath.Join(w.dir, "store", "store.db"), masterKey(t, w.dir))
	for i := range n {
		w.replicas = append(w.replicas, newReplica(t, fmt.Sprint("process", i+1), w.dir, binary, "127.0.0.1", env))
	}
}

// masterKey makes the file of one.
func masterKey(t testing.TB, dir string) string {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	name := filepath.Join(dir, "master.key")
	if err := os.WriteFile(name, []byte(base64.StdEncoding.EncodeToString(key)), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

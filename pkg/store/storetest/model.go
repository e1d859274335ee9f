package storetest

import (
	"context"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// RunModel lets random operations loose on a store and on a model of it, and
// checks that both give the same answers and hold the same records. open and
// model give new, empty stores; RunModel closes them.
func RunModel(t *testing.T, open, model func(t *testing.T) store.Store) {
	rapid.Check(t, func(r *rapid.T) {
		pair := pair{t: t, r: r, tested: open(t), model: model(t)}
		defer pair.close()
		r.Repeat(map[string]func(*rapid.T){
			"apply": func(r *rapid.T) { pair.apply(rapid.SliceOfN(command(), 1, 4).Draw(r, "commands")) },
			"":      func(r *rapid.T) { pair.compare() },
		})
	})
}

type pair struct {
	t             *testing.T
	r             *rapid.T
	tested, model store.Store
}

func (p pair) close() {
	if err := errors.Join(p.tested.Close(), p.model.Close()); err != nil {
		p.r.Error(err)
	}
}

func (p pair) apply(commands []store.Command) {
	got, want := p.tested.Apply(context.Background(), commands...), p.model.Apply(context.Background(), commands...)
	if kind(got) != kind(want) {
		p.r.Fatalf("answer %v, the model's %v", got, want)
	}
}

// kind is the store's answer in an error, or the error when it is none of them.
func kind(err error) error {
	for _, answer := range []error{store.ErrNotFound, store.ErrExists, store.ErrConflict, store.ErrUnavailable} {
		if errors.Is(err, answer) {
			return answer
		}
	}
	return err
}

// compare leaves the numbers of facts aside: a store may leave some out.
func (p pair) compare() {
	want, got := dump(p.t, p.model), dump(p.t, p.tested)
	want.Facts, got.Facts = unnumbered(p.t, want.Facts), unnumbered(p.t, got.Facts)
	same(p.t, want, got)
	if p.t.Failed() {
		p.r.FailNow()
	}
}

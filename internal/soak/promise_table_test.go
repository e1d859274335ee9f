package soak

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// A judge who knows no difference would be worth nothing.
func TestTheJudgeKnowsWhatThePromiseForbids(t *testing.T) {
	login := deed{What: "login", Verdict: "good", Identity: "a"}
	refresh := func(number, given int64, identity string) deed {
		return deed{What: "refresh", Number: number, Given: given, Identity: identity, Verdict: "good"}
	}
	denied := func(number int64) deed { return deed{What: "refresh", Number: number, Verdict: "void"} }
	open := func(number int64) deed { return deed{What: "refresh", Number: number, Verdict: "lost"} }
	yes, no := deed{What: "check", Verdict: "good"}, deed{What: "check", Verdict: "void"}
	revoke, asked := deed{What: "revoke", Verdict: "good"}, deed{What: "revoke", Verdict: "lost"}
	for what, c := range map[string]struct {
		deeds []deed
		want  porcupine.CheckResult
	}{
		"a life":                            {[]deed{login, yes, refresh(0, 1, "b"), yes, revoke, no, denied(1)}, porcupine.Ok},
		"the same successor again":          {[]deed{login, refresh(0, 1, "b"), refresh(0, 1, "b")}, porcupine.Ok},
		"another successor":                 {[]deed{login, refresh(0, 1, "b"), refresh(0, 1, "c")}, porcupine.Illegal},
		"a refused twin":                    {[]deed{login, refresh(0, 1, "b"), denied(0)}, porcupine.Illegal},
		"a theft":                           {[]deed{login, refresh(0, 1, "b"), refresh(1, 2, "c"), denied(0), denied(2), no}, porcupine.Ok},
		"a theft that succeeds":             {[]deed{login, refresh(0, 1, "b"), refresh(1, 2, "c"), refresh(0, 1, "b")}, porcupine.Illegal},
		"a theft that ends nothing":         {[]deed{login, refresh(0, 1, "b"), refresh(1, 2, "c"), denied(0), refresh(2, 3, "d")}, porcupine.Illegal},
		"a refusal for nothing":             {[]deed{login, no}, porcupine.Illegal},
		"a yes within the bound":            {[]deed{login, revoke, yes}, porcupine.Ok},
		"a yes behind it":                   {[]deed{login, revoke, {What: "idle"}, {What: "idle"}, {What: "idle"}, yes}, porcupine.Illegal},
		"a refresh after the end":           {[]deed{login, revoke, refresh(0, 1, "b")}, porcupine.Illegal},
		"a refresh without an answer":       {[]deed{login, open(0), refresh(0, 1, "b"), refresh(1, 2, "c")}, porcupine.Ok},
		"one that came late":                {[]deed{login, open(0), refresh(0, 1, "b"), refresh(1, 2, "c"), no}, porcupine.Ok},
		"an end without an answer":          {[]deed{login, asked, yes, refresh(0, 1, "b"), no}, porcupine.Ok},
		"an end without an answer, undone":  {[]deed{login, asked, no, refresh(0, 1, "b")}, porcupine.Illegal},
		"all ended before the login":        {[]deed{{What: "revoke-all", Verdict: "good"}, login, yes, refresh(0, 1, "b")}, porcupine.Ok},
		"a number that does not follow":     {[]deed{login, refresh(0, 2, "b")}, porcupine.Illegal},
		"an answer to what was not refused": {[]deed{login, open(0), denied(0)}, porcupine.Illegal},
	} {
		var deeds []deed
		for i, d := range c.deeds { // one after the other
			d.Called, d.Returned = time.Duration(2*i)*time.Second, time.Duration(2*i+1)*time.Second
			if d.What != "idle" {
				deeds = append(deeds, d)
			}
		}
		if got := holds(deeds, 3*time.Second); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
}

func TestAYesIsStaleAtOnceWhereTheEndIsKnownAndElsewhereFromTheBoundOn(t *testing.T) {
	const bound = 10
	var e end
	if e.stale("a", 100, bound) {
		t.Error("nothing is over")
	}
	e.learn("", 50)
	e.learn("a", 52)
	for _, c := range []struct {
		server string
		asked  time.Duration
		want   bool
	}{{"a", 52, false}, {"a", 53, true}, {"b", 60, false}, {"b", 61, true}} {
		if got := e.stale(c.server, c.asked, bound); got != c.want {
			t.Errorf("%s, asked at %d: %v", c.server, c.asked, got)
		}
	}
}

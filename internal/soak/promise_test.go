package soak

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"
)

// deed is one request that concerns a login, and what was answered. It holds no token.
type deed struct {
	What             string // login, refresh, check, revoke or revoke-all
	Peer             string
	Number           int64 // of the refresh token that was used
	Called, Returned time.Duration
	Verdict          string // good, void or lost
	Given            int64  // the number of the refresh token that was given
	Identity         string // of the access token that was given
	Stolen           bool   // a later refresh token had been used before
}

// state is what is true of a login, whoever is asked.
type state struct {
	born, revoked bool
	counter       int64
	identity      string // of the access token of the last refresh; empty: nobody was told
}

// step is the promise: whether the deed may have been answered so in a state, and the
// state after it. A refresh token has one successor, which it is given again as long as
// that was not used; an older one ends the login. The grace is longer than logins are
// watched.
func (s state) step(d deed) (bool, state) {
	switch d.What {
	case "login":
		return !s.born, state{born: true, identity: d.Identity}
	case "check":
		return s.born && s.revoked == (d.Verdict == "void"), s
	case "revoke", "revoke-all":
		s.revoked = s.born
		return true, s
	}
	return s.refresh(d)
}

func (s state) refresh(d deed) (bool, state) {
	unknown := d.Verdict == "lost"
	switch {
	case !s.born:
		return false, s
	case s.revoked:
		return unknown || d.Verdict == "void", s
	case d.Number == s.counter:
		s.counter, s.identity = s.counter+1, d.Identity
		return unknown || d.Verdict == "good" && d.Given == s.counter, s
	case d.Number == s.counter-1 && unknown:
		return true, s
	case d.Number == s.counter-1:
		same := s.identity == "" || s.identity == d.Identity
		s.identity = d.Identity
		return d.Verdict == "good" && d.Given == s.counter && same, s
	}
	s.revoked = true
	return unknown || d.Verdict == "void", s
}

const forever = time.Duration(1 << 62)

// holds tells whether there is an order of the deeds of one login in which each was
// answered as promised. A view may be stale old, so a check that said yes may have
// looked that long before it was asked; and what nobody answered may have been done at
// any later time, or never.
func holds(deeds []deed, stale time.Duration) porcupine.CheckResult {
	var history []porcupine.Operation
	for i, d := range deeds {
		switch {
		case d.What == "check" && d.Verdict == "lost":
			continue
		case d.What == "check" && d.Verdict == "good":
			d.Called -= stale
		case d.Verdict == "lost":
			d.Returned = forever
		}
		history = append(history, porcupine.Operation{ClientId: i, Input: d, Call: int64(d.Called), Return: int64(d.Returned)})
	}
	return porcupine.CheckOperationsTimeout(promise(), history, 5*time.Second)
}

func promise() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return state{} },
		Step: func(s, input, _ any) (bool, any) {
			return s.(state).step(input.(deed))
		},
		DescribeOperation: func(input, _ any) string { return fmt.Sprintf("%+v", input) },
	}
}

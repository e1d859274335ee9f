package server

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
)

// mostOwed is how many events wait for an audit log that cannot be written.
const mostOwed = 1000

// debt is what an audit log did not take. While there is any, the log is failing.
type debt struct {
	failing atomic.Bool
	mu      sync.Mutex
	lines   []AuditEvent
	lost    uint64 // since it began to fail
}

// Ready is issuer.Recorder: while the log fails it tries again.
func (r *recorder) Ready(context.Context) error {
	if r.config.AuditOptional || !r.debt.failing.Load() {
		return nil
	}
	if err := r.settle(); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

// write writes an event behind those that are owed.
func (r *recorder) write(line AuditEvent, done bool) (err error) {
	if r.debt.failing.Load() {
		err = r.settle()
	}
	if err == nil {
		err = r.config.Audit(line)
	}
	if err == nil {
		return nil
	}
	if kept := r.owe(line, done, err); kept && done {
		err = fmt.Errorf("%w: audit log: %w", issuer.ErrUnwritten, err)
	} else {
		err = fmt.Errorf("audit log: %w", err)
	}
	if r.config.AuditOptional {
		return nil
	}
	return err
}

// settle writes what is owed, in the order in which it happened. The log of the server
// tells of a change alone: there may be many events.
func (r *recorder) settle() error {
	r.debt.mu.Lock()
	defer r.debt.mu.Unlock()
	for len(r.debt.lines) > 0 {
		if err := r.config.Audit(r.debt.lines[0]); err != nil {
			return err
		}
		r.debt.lines = r.debt.lines[1:]
	}
	if r.debt.failing.Swap(false) {
		r.config.Log.Info("the audit log is written again", "lost", r.debt.lost)
		r.debt.lost = 0
	}
	return nil
}

// Settle tries once more to write the events that the audit log did not take, and logs an
// error with the number of those that are lost when the program ends. Call it when the
// last request is answered.
func (s *Server) Settle() {
	err := s.told.settle()
	if err == nil {
		return
	}
	debt := &s.told.debt
	debt.mu.Lock()
	defer debt.mu.Unlock()
	s.config.Log.Error("events are missing in the audit log, which cannot be written", "error", err, "events", uint64(len(debt.lines))+debt.lost)
}

// owe keeps an event until it can be written: what is done, and the first of all,
// which is tried again until it is written. It reports whether it was kept.
func (r *recorder) owe(line AuditEvent, done bool, err error) (kept bool) {
	r.counts.unwritten.Add(1)
	r.debt.mu.Lock()
	defer r.debt.mu.Unlock()
	if !r.debt.failing.Swap(true) {
		r.config.Log.Error("the audit log cannot be written", "error", err, "refused", !r.config.AuditOptional)
	}
	if len(r.debt.lines) > 0 && (!done || len(r.debt.lines) >= mostOwed) {
		r.debt.lost++
		return false
	}
	r.debt.lines = append(r.debt.lines, line)
	return true
}

// Of events that cost those who cause them nothing, so many are written at once, and so
// many a second.
const (
	sparingBurst = 100
	sparingRate  = 10
)

// allowance bounds what is written of events of one kind.
type allowance struct {
	mu      sync.Mutex
	at      time.Time
	left    float64
	omitted uint64 // since the last that was written
}

// take reports whether one more is written at an instant, and how many were not before it.
func (a *allowance) take(now time.Time) (omitted uint64, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at.IsZero() {
		a.left = sparingBurst
	} else if passed := now.Sub(a.at); passed > 0 {
		a.left = min(sparingBurst, a.left+passed.Seconds()*sparingRate)
	}
	a.at = now
	if a.left < 1 {
		a.omitted++
		return 0, false
	}
	a.left--
	omitted, a.omitted = a.omitted, 0
	return omitted, true
}

// allowanceOf is the one that an event needs; nil: it is written in any case.
func (r *recorder) allowanceOf(e issuer.Event) *allowance {
	switch {
	case e.Outcome == issuer.OutcomeThrottled:
		return &r.throttled
	case e.Outcome == issuer.OutcomeRefused && (e.Name == issuer.EventRefresh || e.Name == issuer.EventDenied):
		return &r.refused
	}
	return nil
}

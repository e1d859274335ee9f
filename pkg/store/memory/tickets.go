package memory

import (
	"context"
	"fmt"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// Ticket is store.Tickets.
func (s *Store) Ticket(ctx context.Context, id store.ID) (found store.Ticket, err error) {
	err = s.read(ctx, func() (err error) {
		found, err = s.ticket(id)
		return err
	})
	return found, err
}

// TicketByUserCode is store.Tickets.
func (s *Store) TicketByUserCode(ctx context.Context, userCode string) (found store.Ticket, err error) {
	err = s.read(ctx, func() error {
		id, ok := s.userCodes[userCode]
		found = s.tickets[id]
		return known(ok, "ticket")
	})
	return found, err
}

func (s *Store) ticket(id store.ID) (store.Ticket, error) {
	found, ok := s.tickets[id]
	return found, known(ok, "ticket")
}

func (c *change) createTicket(t store.Ticket) error {
	_, idTaken := c.tickets[t.ID]
	_, codeTaken := c.userCodes[t.UserCode]
	if idTaken || codeTaken {
		return fmt.Errorf("ticket: %w", store.ErrExists)
	}
	set(c, c.tickets, t.ID, t)
	if t.UserCode != "" {
		set(c, c.userCodes, t.UserCode, t.ID)
	}
	return nil
}

func (c *change) decideTicket(v store.DecideTicket) error {
	t, err := c.live(v.ID, store.TicketPending, v.At)
	if err != nil {
		return err
	}
	t.State, t.Subject, t.Scope, t.AuthAt, t.KeepUntil = v.State, v.Subject, v.Scope, v.AuthAt, v.KeepUntil
	set(c, c.tickets, v.ID, t)
	return nil
}

func (c *change) useTicket(v store.UseTicket) error {
	t, err := c.live(v.ID, store.TicketApproved, v.At)
	if err != nil {
		return err
	}
	t.State = store.TicketUsed
	set(c, c.tickets, v.ID, t)
	return nil
}

// live finds a ticket that is in the given state and not over.
func (c *change) live(id store.ID, state string, at int64) (store.Ticket, error) {
	t, err := c.ticket(id)
	if err != nil {
		return t, err
	}
	if over := t.ExpiresAt != 0 && t.ExpiresAt <= at; over || t.State != state {
		return t, fmt.Errorf("ticket: %w", store.ErrConflict)
	}
	return t, nil
}

func (c *change) rememberOnce(v store.Once) error {
	if _, taken := c.once[v.Value]; taken {
		return fmt.Errorf("value: %w", store.ErrExists)
	}
	set(c, c.once, v.Value, v.Until)
	return nil
}

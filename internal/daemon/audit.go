package daemon

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"sync"

	"github.com/ats-auth/ats-auth/internal/audit"
	"github.com/ats-auth/ats-auth/pkg/server"
)

// openAudit opens what [server] audit_log names; nil: there is no audit log.
func (a *app) openAudit(c *config) (*audit.Log, error) {
	switch c.auditLog {
	case "off":
		return nil, nil
	case "stdout":
		return audit.To(a.Stdout), nil
	case "stderr":
		return audit.To(a.Stderr), nil
	}
	l, err := audit.Open(c.auditLog)
	if err != nil {
		return nil, refuse("[server] audit_log: %w", err)
	}
	return l, nil
}

// auditServing lets the service write its events.
func (a *app) auditServing(c *config) (*audit.Log, error) {
	l, err := a.openAudit(c)
	if l != nil {
		c.server.Audit = func(e server.AuditEvent) error { return l.Write(e) }
	}
	return l, err
}

// commandLog is the audit log of a command, whose events are all of what is done. That
// one cannot be written is told when the command has answered: a password or a secret
// that it has made must not be lost.
type commandLog struct {
	log      *audit.Log // nil: there is none
	by       string
	optional bool // see [server] audit_failure

	mu        sync.Mutex
	unwritten error // of the first event that was not
}

// auditCommand lets a command write its events. Its own stdout is for its answer.
func (a *app) auditCommand(c *config) (*commandLog, error) {
	if c.auditLog == "stdout" {
		c.auditLog = "stderr"
	}
	log, err := a.openAudit(c)
	l := &commandLog{log: log, by: a.operator()}
	if log != nil {
		c.server.Audit = l.write
		l.optional = c.server.AuditOptional
	}
	return l, err
}

func (l *commandLog) write(e server.AuditEvent) error {
	e.By, e.Source = l.by, "command"
	err := l.log.Write(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unwritten == nil && !l.optional {
		l.unwritten = err
	}
	return nil
}

// close closes the log and tells whether an event is missing in it.
func (l *commandLog) close() error {
	err := closeAudit(l.log)
	if l.unwritten != nil {
		err = errors.Join(fmt.Errorf("it was done, but could not be written down: audit log: %w", l.unwritten), err)
	}
	return err
}

// operator is the user of the system who runs a command.
func (a *app) operator() string {
	uid := strconv.Itoa(a.UID)
	if known, err := user.LookupId(uid); err == nil {
		return known.Username
	}
	return uid
}

// checkAudit tells that the audit log could not be opened, and makes none.
func (a *app) checkAudit(c *config) error {
	if _, err := os.Stat(c.auditLog); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	l, err := a.openAudit(c)
	if err != nil {
		return err
	}
	return closeAudit(l)
}

func closeAudit(l *audit.Log) error {
	if l == nil {
		return nil
	}
	if err := l.Close(); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

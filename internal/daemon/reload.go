package daemon

import (
	"log/slog"

	"github.com/ats-auth/ats-auth/internal/audit"
)

// reloads is what is read or opened again at SIGHUP. The keys in the store are
// followed all the time.
type reloads struct {
	app          *app
	certificates *certificates // nil: plain HTTP
	audit        *audit.Log    // nil: there is none
	level        *slog.LevelVar
	logger       *slog.Logger
}

// reload does each by itself: what does not work out stays as it was.
func (r *reloads) reload() {
	r.reloadLevel()
	if r.audit != nil {
		r.done("audit log opened again", "the audit log stays as it was", r.audit.Reopen())
	}
	if r.certificates != nil {
		r.done("certificate read again", "the certificate stays as it was", r.certificates.reload())
	}
	r.logger.Info("all else of the configuration is read at the start alone: restart for that")
}

func (r *reloads) done(what, not string, err error) {
	if err != nil {
		r.logger.Error(not, "error", err)
		return
	}
	r.logger.Info(what)
}

// reloadLevel takes the log level of the configuration as it is now, and nothing
// else of it.
func (r *reloads) reloadLevel() {
	c, err := r.app.read()
	if err != nil {
		r.logger.Error("the log level stays as it was", "error", err)
		return
	}
	level := r.app.level(c)
	if before := r.level.Level(); before != level {
		r.level.Set(min(before, level)) // so that one of both tells of it
		r.logger.Info("log level", "level", level.String(), "before", before.String())
	}
	r.level.Set(level)
}

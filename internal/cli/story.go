package cli

import (
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"
)

// Levels of the story, from what is always told.
type level int

const (
	levelError level = iota
	levelInfo        // confirmations and warnings; -q silences them
	levelStory       // -v
	levelDebug       // --debug
)

// tell writes one line to stderr, if its level is asked for, and to the log
// file whatever is asked for.
func (a *app) tell(at level, line string) {
	if a.log != nil && (at < levelDebug || a.flags.debug) {
		fmt.Fprintf(a.log, "%s %s\n", a.Now().UTC().Format(time.RFC3339), line)
	}
	if at <= a.level() {
		fmt.Fprintln(a.Stderr, line)
	}
}

func (a *app) say(at level, format string, args ...any) { a.tell(at, fmt.Sprintf(format, args...)) }

// warn tells of a danger that is no error.
// Inlined in the many places that call it, it would be much of the client.
//
//go:noinline
func (a *app) warn(format string, args ...any) {
	a.say(levelInfo, "ats-auth: warning: "+format, args...)
}

func (a *app) level() level {
	switch {
	case a.flags.quiet:
		return levelError
	case a.flags.debug:
		return levelDebug
	case a.flags.verbose > 0:
		return levelStory
	}
	return levelInfo
}

// openLog opens --log-file for the story; what it adds is for its owner only.
func (a *app) openLog() error {
	if a.flags.logFile == "" {
		return nil
	}
	f, err := os.OpenFile(a.flags.logFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return &configError{problem: "log file: " + err.Error(), cause: err}
	}
	a.log = f
	return nil
}

func (a *app) closeLog() {
	if a.log != nil {
		a.log.Close()
	}
}

// safe keeps what came from elsewhere from acting on the terminal.
//
//go:noinline
func safe(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '?'
		}
		return r
	}, s)
}

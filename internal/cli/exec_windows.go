package cli

import (
	"context"
	"os"
	"os/signal"
)

// signals keep Ctrl-C from ending us before the child, which hears of it from
// the console itself.
type signals chan os.Signal

func catchSignals() signals {
	c := make(signals, 8)
	signal.Notify(c, os.Interrupt)
	return c
}

func (c signals) stop() { signal.Stop(c) }

func (c signals) pass(ctx context.Context, child *os.Process) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c:
		}
	}
}

func endOf(state *os.ProcessState) int { return state.ExitCode() }

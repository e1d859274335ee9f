package cli

import (
	"context"
	"time"
)

// syncDir does nothing: Windows keeps names without being asked.
func syncDir(string) error { return nil }

// lockBeside does nothing: on Windows nobody should refresh by one file twice at
// once.
func lockBeside(context.Context, string, time.Duration) (unlock func(), err error) {
	return func() {}, nil
}

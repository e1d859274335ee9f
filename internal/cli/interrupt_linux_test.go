package cli

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAnInterruptEndsTheWaitForAPipeThatNobodyWritesTo(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer interrupt()
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, Env{
			Args:  []string{"ats-auth", "token", "create", "--url", "http://127.0.0.1:1", "--username", "marco", "--password-file", pipe},
			Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Now: time.Now, WorkDir: dir, HomeDir: dir,
			LookupEnv:   func(string) (string, bool) { return "", false },
			Interactive: func(any) bool { return false },
		})
	}()
	select {
	case got := <-code:
		if got != exitInterrupted || ctx.Err() == nil {
			t.Errorf("exit code %d, %v", got, ctx.Err())
		}
	case <-time.After(grace + 10*time.Second):
		t.Error("it still waits")
	}
	// Let go who still waits for the other end.
	fd, err := syscall.Open(pipe, syscall.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	if err := syscall.Close(fd); err != nil {
		t.Error(err)
	}
}

//go:build unix

package profile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"
)

func TestAPasswordCommandGivesItsOutputWithoutOneNewline(t *testing.T) {
	for command, want := range map[string]string{
		"echo s3cret":            "s3cret",
		`printf 's3cret'`:        "s3cret",
		`printf 'a\n\n'`:         "a\n",
		`printf ' a b \r\n'`:     " a b ",
		`echo "$GREETING" | cat`: "hello",
		`cat; echo end`:          "end",
	} {
		got, err := RunPasswordCommand(t.Context(), command, []string{"GREETING=hello", "PATH=/usr/bin:/bin"}, io.Discard)
		if err != nil || got != want {
			t.Errorf("%s: %q, %v", command, got, err)
		}
	}
}

func TestAPasswordCommandSeesNoEnvironmentButItsOwn(t *testing.T) {
	t.Setenv("ATS_AUTH_LEAK", "leaked")
	got, err := RunPasswordCommand(t.Context(), `echo "[$ATS_AUTH_LEAK]"`, nil, io.Discard)
	if err != nil || got != "[]" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestAPasswordCommandThatFailsTellsItsExitCodeAndNothingElse(t *testing.T) {
	for command, want := range map[string]string{
		"echo hunter2; exit 3":           "password_command ended with exit status 3",
		"echo hunter2; kill -9 $$":       "password_command ended with signal: killed",
		"true":                           "password_command printed nothing",
		"echo":                           "password_command printed nothing",
		"hunter2-no-such-command 2>&1":   "password_command ended with exit status 127",
		"yes hunter2 | head -c 70000":    "password_command printed more than 65536 bytes",
		"while :; do echo hunter2; done": "password_command printed more than 65536 bytes",
	} {
		_, err := RunPasswordCommand(t.Context(), command, []string{"PATH=/usr/bin:/bin"}, io.Discard)
		if err == nil {
			t.Errorf("%s: no error", command)
			continue
		}
		if e := refusal(t, err); e.Problem != want {
			t.Errorf("%s: %s", command, e.Problem)
		}
	}
}

func TestWhatAPasswordCommandSaysReachesThePerson(t *testing.T) {
	var stderr bytes.Buffer
	if _, err := RunPasswordCommand(t.Context(), "echo Touch your key >&2; echo x", nil, &stderr); err != nil || stderr.String() != "Touch your key\n" {
		t.Fatalf("%q, %v", stderr.String(), err)
	}
}

func TestAPasswordCommandEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := RunPasswordCommand(ctx, "sleep 60 & wait", []string{"PATH=/usr/bin:/bin"}, io.Discard)
	var e *Error
	if !errors.Is(err, context.DeadlineExceeded) || errors.As(err, &e) {
		t.Fatalf("error %v", err)
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Fatalf("it took %v", took)
	}
}

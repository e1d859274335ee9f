package session_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func ExampleFile_Update() {
	dir, err := os.MkdirTemp("", "session-*")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := session.Open(session.Config{File: filepath.Join(dir, "config.yaml"), Check: inifile.CheckSecretFile})
	_, err = file.Read()
	fmt.Println(errors.Is(err, session.ErrNoLogin))

	err = file.Update(context.Background(), func(login session.Login) (session.Login, error) {
		login.URL, login.Username, login.Dialect = "https://auth.example.org", "marco", "ats"
		login.RefreshToken = token.NewSecret("ats_rt_1") // what the service answered
		return login, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	login, err := file.Read()
	fmt.Println(login.Username, login.RefreshToken, err)
	// Output:
	// true
	// marco <redacted sha256:dab9a9bf> <nil>
}

package profile_test

import (
	"fmt"

	"github.com/ats-auth/ats-auth/internal/profile"
)

func ExampleLoad() {
	env := map[string]string{"OS_USERNAME": "marco", "OS_PASSWORD": "hunter2"}
	p, err := profile.Load(profile.Config{
		Flags:     map[string]string{"url": "https://auth.example", "config": "/dev/null"},
		LookupEnv: func(name string) (string, bool) { text, ok := env[name]; return text, ok },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"url", "username", "password", "timeout"} {
		fmt.Printf("%s = %v (%s)\n", name, p.Value(name), p.Value(name).Source())
	}
	// Output:
	// url = https://auth.example (flag --url)
	// username = marco (OS_USERNAME)
	// password = <redacted> (OS_PASSWORD)
	// timeout = 30s (default)
}

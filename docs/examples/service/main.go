// Command service is a small HTTP service that takes the tokens of an ats-auth
// server: it verifies them itself when it is given the secret, and asks the
// server about them else.
//
//	service --listen 127.0.0.1:8080 --server http://127.0.0.1:8081
//	service --listen 127.0.0.1:8080 --secret-file secret.txt
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address and port")
	server := flag.String("server", "", "ask this ats-auth server about tokens")
	secret := flag.String("secret-file", "", "verify tokens with the secret in this file")
	maxAge := flag.Duration("max-age", 5*time.Second, "how long the server's answer may be used again")
	flag.Parse()
	judge, err := newJudge(*server, *secret, *maxAge)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, r *http.Request) {
		claims, _ := verifier.TokenFromContext(r.Context())
		fmt.Fprintf(w, "hello %s\n", claims.Subject())
	})
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("serving http://%s", listener.Addr())
	service := &http.Server{Handler: judge.Middleware(mux), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(service.Serve(listener))
}

// newJudge makes the verifier: by the secret where there is one, else by asking.
func newJudge(server, secretFile string, maxAge time.Duration) (*verifier.Verifier, error) {
	if secretFile == "" {
		check, err := verifier.ATSCheck(server, nil)
		if err != nil {
			return nil, err
		}
		return verifier.New(verifier.Config{Check: check, CheckMaxAge: maxAge, CacheBytes: 1 << 20, Realm: "hello"})
	}
	text, err := os.ReadFile(secretFile)
	if err != nil {
		return nil, err
	}
	key := verifier.Key{Algorithm: "HS256", Secret: token.NewPassword(strings.TrimSuffix(string(text), "\n"))}
	return verifier.New(verifier.Config{Keys: []verifier.Key{key}, Issuer: "ats.auth", CacheBytes: 1 << 20, Realm: "hello"})
}

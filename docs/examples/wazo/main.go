// Command wazo is a small HTTP service that takes the tokens of a wazo-auth, or of an
// ats-auth server that speaks its dialect, and keeps a note for each user.
//
//	wazo --listen 127.0.0.1:8080 --auth https://localhost:9497 --cacert server.crt
//
// GET and PUT of /note, and DELETE, are done for the user of the token in
// X-Auth-Token, if that gives access to notes.users.me.read, .write and .delete. It
// asks about a token each time, so that one that was revoked is refused at once.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address and port")
	server := flag.String("auth", "https://localhost:9497", "the service that knows about tokens")
	cacert := flag.String("cacert", "", "PEM file of who vouches for its certificate (default: those of the system)")
	insecure := flag.Bool("k", false, "do not look at its certificate, for tests")
	flag.Parse()
	trust, err := trusted(*cacert)
	if err != nil {
		log.Fatal(err)
	}
	trust.InsecureSkipVerify = *insecure
	auth := &auth{base: strings.TrimSuffix(*server, "/"), client: &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: trust},
		// A redirection would carry the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("serving http://%s", listener.Addr())
	service := &http.Server{Handler: newNotes(auth), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(service.Serve(listener))
}

// trusted is the TLS configuration that believes the certificates of a file.
func trusted(cacert string) (*tls.Config, error) {
	if cacert == "" {
		return &tls.Config{}, nil
	}
	text, err := os.ReadFile(cacert)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate in PEM", cacert)
	}
	return &tls.Config{RootCAs: pool}, nil
}

// auth asks the service that knows about tokens.
type auth struct {
	base   string
	client *http.Client
}

// refused is the status that a request is refused with.
type refused int

func (r refused) Error() string { return http.StatusText(int(r)) }

// tokenForm is a token's. What is none must not get into a path.
var tokenForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// user returns the UUID of the user whose token it is, if that gives access to scope.
func (a *auth) user(token, scope string) (string, error) {
	if !tokenForm.MatchString(token) {
		return "", refused(http.StatusUnauthorized)
	}
	if err := a.ask(http.MethodHead, token+"?scope="+url.QueryEscape(scope), nil); err != nil {
		return "", err
	}
	var about struct {
		Data struct {
			UUID string `json:"xivo_user_uuid"`
		} `json:"data"`
	}
	if err := a.ask(http.MethodGet, token, &about); err != nil {
		return "", err
	}
	if about.Data.UUID == "" { // a token of a program's, say
		return "", refused(http.StatusForbidden)
	}
	return about.Data.UUID, nil
}

// ask reads the answer about a token. What is not refused is not known.
func (a *auth) ask(method, about string, answer any) error {
	request, err := http.NewRequest(method, a.base+"/0.1/token/"+about, nil)
	if err != nil {
		return errors.New("--auth is no URL")
	}
	response, err := a.client.Do(request)
	if err != nil {
		if told := new(url.Error); errors.As(err, &told) {
			return told.Err // for the URL holds the token
		}
		return err
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusNotFound:
		return refused(http.StatusUnauthorized)
	case response.StatusCode == http.StatusForbidden:
		return refused(http.StatusForbidden)
	case method == http.MethodHead && response.StatusCode == http.StatusNoContent:
		return nil
	case method == http.MethodGet && response.StatusCode == http.StatusOK:
		return json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(answer)
	}
	return fmt.Errorf("%s of a token: %s", method, response.Status)
}

// notes keeps a note for each user, in memory.
type notes struct {
	http.ServeMux
	auth *auth

	mu     sync.Mutex
	byUUID map[string]string
}

func newNotes(a *auth) *notes {
	n := &notes{auth: a, byUUID: make(map[string]string)}
	n.HandleFunc("GET /note", n.as("notes.users.me.read", n.get))
	n.HandleFunc("PUT /note", n.as("notes.users.me.write", n.put))
	n.HandleFunc("DELETE /note", n.as("notes.users.me.delete", n.remove))
	return n
}

// as serves a request for the user of its token.
func (n *notes) as(scope string, serve func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		uuid, err := n.auth.user(r.Header.Get("X-Auth-Token"), scope)
		var why refused
		switch {
		case err == nil:
			serve(w, r, uuid)
			return
		case !errors.As(err, &why): // it is not known who asks, which is no refusal
			log.Print(err)
			why = http.StatusServiceUnavailable
		case why == http.StatusUnauthorized:
			w.Header().Set("WWW-Authenticate", "X-Auth-Token")
		}
		http.Error(w, why.Error(), int(why))
	}
}

func (n *notes) get(w http.ResponseWriter, r *http.Request, uuid string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	note, there := n.byUUID[uuid]
	if !there {
		http.NotFound(w, r)
		return
	}
	fmt.Fprintf(w, "%s: %s", uuid, note)
}

func (n *notes) put(w http.ResponseWriter, r *http.Request, uuid string) {
	note, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4096))
	if err != nil {
		http.Error(w, "a note has 4096 bytes at most", http.StatusRequestEntityTooLarge)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.byUUID[uuid] = string(note)
	w.WriteHeader(http.StatusNoContent)
}

func (n *notes) remove(w http.ResponseWriter, _ *http.Request, uuid string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.byUUID, uuid)
	w.WriteHeader(http.StatusNoContent)
}

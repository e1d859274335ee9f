package cli

import (
	"fmt"
	"net/url"
	"os/exec"
	"runtime"
	"strings"
)

// hasDisplay reports whether a browser that this program starts is likely to be
// seen by the person who called it.
func hasDisplay(system string, lookup func(string) (string, bool)) bool {
	given := func(name string) bool { text, _ := lookup(name); return text != "" }
	switch {
	case given("SSH_CONNECTION"), given("SSH_TTY"):
		return false
	case system == "darwin", system == "windows":
		return true
	}
	return given("DISPLAY") || given("WAYLAND_DISPLAY")
}

// openBrowser sends a person to an address: it says it, whatever is to be told,
// and tries to open it. That it cannot is no error.
func (a *app) openBrowser(address string) {
	fmt.Fprintf(a.Stderr, "Open this address in a browser, if it does not open by itself:\n%s\n", safe(address))
	// The address stands in what a server published: no file, no other program.
	if u, err := url.Parse(address); err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return
	}
	go func() {
		for _, words := range a.browsers(runtime.GOOS) {
			words = withAddress(words, address)
			// What it says belongs neither to the result nor to the story; it may live
			// on when this program has ended.
			browser := exec.Command(words[0], words[1:]...) //nolint:gosec // the person's own choice
			browser.Env, browser.Dir = append([]string{}, a.Environ...), a.WorkDir
			if browser.Run() == nil {
				return
			}
		}
	}()
}

// browsers are the commands that may open an address, the best first: those of
// BROWSER, else the system's, if there is a display.
func (a *app) browsers(system string) [][]string {
	var all [][]string
	chosen, _ := a.LookupEnv("BROWSER")
	separator := ":"
	if system == "windows" {
		separator = ";"
	}
	for _, line := range strings.Split(chosen, separator) {
		if words := strings.Fields(line); len(words) > 0 {
			all = append(all, words)
		}
	}
	if len(all) > 0 || !hasDisplay(system, a.LookupEnv) {
		return all
	}
	switch system {
	case "darwin":
		return [][]string{{"open"}}
	case "windows":
		return [][]string{{"rundll32", "url.dll,FileProtocolHandler"}}
	}
	return [][]string{{"xdg-open"}, {"x-www-browser"}}
}

// withAddress puts an address in the place of %s, else behind the command.
func withAddress(words []string, address string) []string {
	put := false
	var full []string
	for _, w := range words {
		put = put || strings.Contains(w, "%s")
		full = append(full, strings.ReplaceAll(w, "%s", address))
	}
	if !put {
		full = append(full, address)
	}
	return full
}

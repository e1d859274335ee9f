package pages

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

func setHeaders(h http.Header, formTargets []string) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy(formTargets))
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}

// policy is the Content-Security-Policy of a page.
func policy(formTargets []string) string {
	targets := []string{"'self'"}
	for _, t := range formTargets {
		if s := source(t); s != "" && !slices.Contains(targets, s) {
			targets = append(targets, s)
		}
	}
	return "default-src 'none'; style-src 'self'; form-action " + strings.Join(targets, " ") +
		"; frame-ancestors 'none'; base-uri 'none'"
}

const scheme = `[A-Za-z][A-Za-z0-9+.-]*`

var (
	originForm = regexp.MustCompile(`^` + scheme + `://[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(:[0-9]{1,5})?$`)
	literal    = regexp.MustCompile(`^(https?:)//\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?$`)
	schemeForm = regexp.MustCompile(`^` + scheme + `:$`)
)

// source is what form-action says for a target, nothing for one that it must
// not or cannot say.
func source(target string) string {
	if originForm.MatchString(target) {
		return target
	}
	// The grammar of policies has no IPv6 addresses (CSP3 section 2.3.1), and a
	// native application may listen on [::1] (RFC 8252 section 7.3).
	if m := literal.FindStringSubmatch(target); m != nil {
		return m[1]
	}
	if schemeForm.MatchString(target) && !slices.Contains(wide, strings.ToLower(target)) {
		return target
	}
	return ""
}

// wide are schemes that would let a form go anywhere, or run what it carries.
var wide = []string{"http:", "https:", "ws:", "wss:", "ftp:", "javascript:", "data:", "blob:", "filesystem:", "about:", "file:"}

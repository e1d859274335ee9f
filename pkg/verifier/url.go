package verifier

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// normalURL gives the one spelling of an http or https URL without query and
// fragment: by RFC 3986 sections 6.2.2 (case, percent-encoding, dot segments) and
// 6.2.3 (default port, empty path).
func normalURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil { // it quotes the whole
		return "", errors.New("not a URL")
	}
	scheme, host := strings.ToLower(u.Scheme), lower(u.Hostname())
	defaultPort, web := map[string]string{"http": "80", "https": "443"}[scheme]
	switch {
	case !web || u.Opaque != "":
		return "", errors.New("not a URL of http or https")
	case host == "" || u.User != nil:
		return "", errors.New("not a URL of a host, without user")
	case strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r > '~' || r == '%' }):
		return "", errors.New("not a URL of a host in plain characters")
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port := u.Port(); port != "" && port != defaultPort {
		host += ":" + port
	}
	return scheme + "://" + host + withoutDots(normalEscapes(rawPath(text))), nil
}

// rawPath is the path as it was written: url.URL may lose what %2F was.
func rawPath(text string) string {
	if end := strings.IndexAny(text, "?#"); end >= 0 {
		text = text[:end]
	}
	_, rest, _ := strings.Cut(text, "://")
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		return rest[slash:]
	}
	return "/"
}

// lower is for ASCII alone: other alphabets have letters whose lower case is
// ASCII.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

// normalEscapes writes every byte of a path in its one way: unreserved ones plain,
// delimiters as they are, all others escaped with capital digits.
func normalEscapes(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c, escaped := path[i], false
		if c == '%' && i+2 < len(path) {
			if d, ok := unhex(path[i+1], path[i+2]); ok {
				c, escaped, i = d, true, i+2
			}
		}
		switch {
		case strings.IndexByte(unreserved, c) >= 0, !escaped && strings.IndexByte("/!$&'()*+,;=:@", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func unhex(high, low byte) (byte, bool) {
	const digits = "0123456789abcdef"
	h, l := strings.IndexByte(digits, high|0x20), strings.IndexByte(digits, low|0x20)
	if h < 0 || l < 0 || high < '0' || low < '0' {
		return 0, false
	}
	return byte(h<<4 | l), true
}

// withoutDots removes the segments . and .. (RFC 3986 section 5.2.4).
func withoutDots(path string) string {
	var out []string
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		if s != "." && s != ".." {
			out = append(out, s)
			continue
		}
		if s == ".." && len(out) > 0 {
			out = out[:len(out)-1]
		}
		if i == len(segments)-1 {
			out = append(out, "")
		}
	}
	return "/" + strings.Join(out, "/")
}

// clipURL keeps an error short.
func clipURL(s string) string {
	if len(s) > 200 {
		return strings.ToValidUTF8(s[:200], "") + "…"
	}
	return s
}

package verifier

import "testing"

func TestAURLHasOneNormalSpelling(t *testing.T) {
	for text, want := range map[string]string{
		"https://a.example/x":                     "https://a.example/x",
		"HTTPS://A.Example:443/x?q=1#f":           "https://a.example/x",
		"http://a.example:80":                     "http://a.example/",
		"http://a.example:443/":                   "http://a.example:443/",
		"https://a.example:/":                     "https://a.example/",
		"https://a.example?x=/y":                  "https://a.example/",
		"https://a.example#/y":                    "https://a.example/",
		"https://a.example/%7euser/%41%2f%2F%3a":  "https://a.example/~user/A%2F%2F%3A",
		"https://a.example/a/./b/../c":            "https://a.example/a/c",
		"https://a.example/a/%2e%2E/b":            "https://a.example/b",
		"https://a.example/../..":                 "https://a.example/",
		"https://a.example/a/b/..":                "https://a.example/a/",
		"https://a.example/a/.":                   "https://a.example/a/",
		"https://a.example//a//b/":                "https://a.example//a//b/",
		"https://a.example/a://b":                 "https://a.example/a://b",
		"https://a.example/a|b%2Fc\"":             "https://a.example/a%7Cb%2Fc%22",
		"https://a.example/\u00e4":                "https://a.example/%C3%A4",
		"https://a.example/A;p=1,2'()*!$&=:@-._~": "https://a.example/A;p=1,2'()*!$&=:@-._~",
		"https://[2001:DB8::1]:8443/x":            "https://[2001:db8::1]:8443/x",
		"https://[::1]:443/":                      "https://[::1]/",
		"https://127.0.0.1:8080/":                 "https://127.0.0.1:8080/",
	} {
		got, err := normalURL(text)
		if got != want || err != nil {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
		if again, err := normalURL(got); again != got || err != nil {
			t.Errorf("%s is not normal: %s, %v", got, again, err)
		}
	}
	for _, text := range []string{
		"", "x", "/x", "//a.example/x", "https:", "https:///x", "https:a.example", "ftp://a.example/", "https://u@a.example/", "https://u:p@a.example/",
		"https://a.example/%zz", "https://a.example/%4", "https://a example/", " https://a.example/", "https://a.example/\n", "https://a.example:x/",
		"https://\u212aelvin.example/", "https://%C3%A4.example/", "https://[fe80::1%25en0]/", `https://a.example\@b.example/`,
	} {
		if got, err := normalURL(text); err == nil {
			t.Errorf("%q: %s", text, got)
		}
	}
}

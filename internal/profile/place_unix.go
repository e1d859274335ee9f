//go:build unix

package profile

// systemFile is the machine's own ini file.
func systemFile() string { return "/etc/ats-auth/client.ini" }

package profile

import (
	"os"
	"path/filepath"
)

// systemFile is the machine's own ini file.
func systemFile() string {
	return filepath.Join(os.Getenv("ProgramData"), "ats-auth", "client.ini")
}

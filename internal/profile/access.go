package profile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxSecret bounds a secret that a file or a command gives, in bytes.
const maxSecret = 64 << 10

// Permissions that let others change or read a file.
const (
	writableByOthers fs.FileMode = 0o022
	readableByOthers fs.FileMode = 0o044
)

// ReadSecretFile returns what a file such as password_file or jwt_secret_file
// holds, without one trailing newline. A regular file must belong to the
// process's user or root and be readable by its owner only; pipes and
// descriptors that were handed over open (/dev/fd/3) are taken as they are.
// Nothing in it, or more than 64 KiB, is an *Error.
func ReadSecretFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fileError(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fileError(path, err)
	}
	if !handedOver(path) {
		if err := checkSecretFile(path, info); err != nil {
			return "", err
		}
	}
	data, err := readBounded(f, path, maxSecret)
	if err != nil {
		return "", err
	}
	secret := dropNewline(string(data))
	if secret == "" {
		return "", &Error{Problem: showName(path) + " is empty"}
	}
	return secret, nil
}

// handedOver reports whether the name stands for a descriptor that whoever
// started the process had opened.
func handedOver(path string) bool {
	dir, _ := filepath.Split(path)
	return dir == "/dev/fd/" || dir == "/proc/self/fd/" || path == "/dev/stdin"
}

// dropNewline drops one trailing newline, \n or \r\n.
func dropNewline(text string) string {
	text, found := strings.CutSuffix(text, "\n")
	if found {
		text = strings.TrimSuffix(text, "\r")
	}
	return text
}

// checkSecretFile applies every rule to a file that holds a secret.
func checkSecretFile(name string, info fs.FileInfo) error {
	if err := checkFile(name, info); err != nil || !info.Mode().IsRegular() {
		return err
	}
	return checkReadable(name, info)
}

// checkFile refuses a directory, and a regular file that others may change.
func checkFile(name string, info fs.FileInfo) error {
	if info.IsDir() {
		return &Error{Problem: showName(name) + " is a directory"}
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	if err := checkOwner(name, info, os.Geteuid()); err != nil {
		return err
	}
	return checkMode(name, info, writableByOthers, "%s may be changed by other users (mode %04o)")
}

// checkReadable refuses a file with a secret that others may read.
func checkReadable(name string, info fs.FileInfo) error {
	return checkMode(name, info, readableByOthers, "%s holds a secret and may be read by other users (mode %04o)")
}

// checkOwner refuses a file of anyone but me and root.
func checkOwner(name string, info fs.FileInfo, me int) error {
	uid, known := owner(info)
	if !known || uid == 0 || uid == me {
		return nil
	}
	return &Error{
		Problem: fmt.Sprintf("%s belongs to another user (uid %d)", showName(name), uid),
		Hint:    fmt.Sprintf("sudo chown -h %d %s", me, shellQuote(name)),
	}
}

// checkMode refuses a file with any of the permissions.
func checkMode(name string, info fs.FileInfo, refused fs.FileMode, problem string) error {
	if !modesMean || info.Mode().Perm()&refused == 0 {
		return nil
	}
	return &Error{
		Problem: fmt.Sprintf(problem, showName(name), info.Mode().Perm()),
		Hint:    "chmod 600 " + shellQuote(name),
	}
}

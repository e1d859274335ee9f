package inifile

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// MaxSecret bounds a secret that a file or a command gives, in bytes.
const MaxSecret = 64 << 10

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
	return readSecretFile(path, 0)
}

// ReadRegularSecretFile is ReadSecretFile for what is to be read more than once: what
// is no regular file is an *Error, and a pipe is not waited for.
func ReadRegularSecretFile(path string) (string, error) {
	return readSecretFile(path, syscall.O_NONBLOCK)
}

// readSecretFile takes regular files alone where it is not to wait.
func readSecretFile(path string, noWait int) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return "", FileError(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", FileError(path, err)
	}
	if noWait != 0 && !info.Mode().IsRegular() {
		return "", &Error{Problem: ShowName(path) + " is not a regular file"}
	}
	if !handedOver(path) {
		if err := CheckSecretFile(path, info); err != nil {
			return "", err
		}
	}
	data, err := ReadBounded(f, path, MaxSecret)
	if err != nil {
		return "", err
	}
	secret := DropNewline(string(data))
	if secret == "" {
		return "", &Error{Problem: ShowName(path) + " is empty"}
	}
	return secret, nil
}

// handedOver reports whether the name stands for a descriptor that whoever
// started the process had opened.
func handedOver(path string) bool {
	dir, _ := filepath.Split(path)
	return dir == "/dev/fd/" || dir == "/proc/self/fd/" || path == "/dev/stdin"
}

// DropNewline drops one trailing newline, \n or \r\n.
func DropNewline(text string) string {
	text, found := strings.CutSuffix(text, "\n")
	if found {
		text = strings.TrimSuffix(text, "\r")
	}
	return text
}

// CheckSecretFile applies every rule to a file that holds a secret.
func CheckSecretFile(name string, info fs.FileInfo) error {
	if err := CheckFile(name, info); err != nil || !info.Mode().IsRegular() {
		return err
	}
	return CheckReadable(name, info)
}

// CheckFile refuses a directory, and a regular file that others may change.
func CheckFile(name string, info fs.FileInfo) error {
	if info.IsDir() {
		return &Error{Problem: ShowName(name) + " is a directory"}
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	if err := CheckOwner(name, info, os.Geteuid()); err != nil {
		return err
	}
	return checkMode(name, info, writableByOthers, "%s may be changed by other users (mode %04o)")
}

// CheckReadable refuses a file with a secret that others may read.
func CheckReadable(name string, info fs.FileInfo) error {
	return checkMode(name, info, readableByOthers, "%s holds a secret and may be read by other users (mode %04o)")
}

// CheckOwner refuses a file of anyone but me and root.
func CheckOwner(name string, info fs.FileInfo, me int) error {
	uid, known := owner(info)
	if !known || uid == 0 || uid == me {
		return nil
	}
	return &Error{
		Problem: fmt.Sprintf("%s belongs to another user (uid %d)", ShowName(name), uid),
		Hint:    fmt.Sprintf("sudo chown -h %d %s", me, ShellQuote(name)),
	}
}

// checkMode refuses a file with any of the permissions.
func checkMode(name string, info fs.FileInfo, refused fs.FileMode, problem string) error {
	if !modesMean || info.Mode().Perm()&refused == 0 {
		return nil
	}
	return &Error{
		Problem: fmt.Sprintf(problem, ShowName(name), info.Mode().Perm()),
		Hint:    "chmod 600 " + ShellQuote(name),
	}
}

// ReadBounded reads all there is, up to a limit in bytes.
func ReadBounded(r io.Reader, name string, limit int) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return nil, FileError(name, err)
	}
	if len(data) > limit {
		return nil, &Error{Problem: fmt.Sprintf("%s is longer than %d bytes", ShowName(name), limit)}
	}
	return data, nil
}

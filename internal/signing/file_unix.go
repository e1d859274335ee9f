//go:build unix

package signing

import (
	"errors"
	"fmt"
	"os"
)

// checkMode refuses a file that the group or others may access. It asks the
// open file, which nobody can exchange meanwhile.
func checkMode(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("master key file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("master key file %s is accessible to others (mode %04o): chmod 600 %[1]s", f.Name(), mode)
	}
	return nil
}

// syncDir makes a new name in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

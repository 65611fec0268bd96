// Package saved stores named targets with their flags, in a file that only its
// owner can read.
package saved

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
)

// A Target is a saved target.
type Target struct {
	Target string              `json:"target"`
	Flags  map[string][]string `json:"flags,omitempty"` // by name; values in the order in which they were given
}

// Targets maps names to the targets of a file.
type Targets map[string]Target

var name = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]*$`)

// IsName reports whether s can be the name of a target. Addresses and URLs
// can't.
func IsName(s string) bool { return name.MatchString(s) }

// Path returns the path of the file: erpc/contexts.json in the user's
// configuration directory.
func Path() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "erpc", "contexts.json"), nil
}

// Load reads a file. If the file does not exist, it returns no targets.
func Load(path string) (Targets, error) {
	t := Targets{}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 { // whoever can write it decides where tokens are sent
		return nil, fmt.Errorf("%s is open to other users; run chmod 600 on it", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Save writes the file atomically: a reader sees the old or the new content.
func (t Targets) Save(path string) error {
	text, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "contexts-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"unicode/utf8"
)

// Bounds on what is read, so that a hostile file is cheap to refuse.
const (
	maxSize  = 1 << 20 // bytes in a file
	maxLines = 10_000  // lines in an INI file; the library's time grows with their square
	maxDepth = 32      // structs or sections within each other
)

// Defaulter is a configuration that knows its defaults. Load and Parse call
// SetDefaults before they read, so keys that are left out have these values.
type Defaulter interface{ SetDefaults() }

// Validator is a configuration that can tell whether its values make sense
// together. Load and Parse call Validate last and wrap its error with the file
// and the section.
type Validator interface{ Validate() error }

// Load reads the section of the file at path into *cfg, a struct. The file's
// extension tells the format (see [FormatOf]). The section "" is the top level.
//
// The defaults are set first, then the file is read as a whole, then its values
// are set, then cfg is validated. So after an error in the file, *cfg holds its
// defaults. That includes a missing file (errors.Is(err, fs.ErrNotExist)) and a
// missing section ([ErrNoSection]).
func Load(path, section string, cfg any) error {
	format, err := FormatOf(path)
	if err != nil {
		return at(path, section, err)
	}
	target, err := prepare(cfg)
	if err != nil {
		return at(path, section, err)
	}
	data, err := readFile(path)
	if err != nil {
		return at(path, section, err)
	}
	return at(path, section, parse(format, data, section, cfg, target))
}

// Parse does what Load does with data that is already read; name stands for
// the file in errors. It does not keep data.
func Parse(format Format, name string, data []byte, section string, cfg any) error {
	target, err := prepare(cfg)
	if err != nil {
		return at(name, section, err)
	}
	return at(name, section, parse(format, data, section, cfg, target))
}

// prepare checks that cfg can be read into and sets its defaults.
func prepare(cfg any) (reflect.Value, error) {
	v := reflect.ValueOf(cfg)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return v, fmt.Errorf("cannot read into %T: pass a pointer to a struct", cfg)
	}
	if d, ok := cfg.(Defaulter); ok {
		d.SetDefaults()
	}
	return v.Elem(), nil
}

func parse(format Format, data []byte, section string, cfg any, target reflect.Value) error {
	root, err := parseTree(format, data, section)
	if err != nil {
		return err
	}
	settings, err := decode(format, root, target)
	if err != nil {
		return err
	}
	for _, s := range settings {
		s.field.Set(s.value)
	}
	if v, ok := cfg.(Validator); ok {
		if err := v.Validate(); err != nil {
			// Don't use at here: an *Error that Validate took from another configuration
			// must keep its own place.
			return &Error{Err: fmt.Errorf("the values do not fit together: %w", err)}
		}
	}
	return nil
}

// parseTree reads the section's part of data.
func parseTree(format Format, data []byte, section string) (*node, error) {
	if err := format.check(); err != nil {
		return nil, err
	}
	path, err := splitSection(section)
	if err != nil {
		return nil, err
	}
	if len(data) > maxSize {
		return nil, fmt.Errorf("%w: keep it under %d KiB", ErrTooLarge, maxSize>>10)
	}
	data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8: save it with that encoding")
	}
	if format == INI {
		return parseINI(data, path)
	}
	return parseYAML(data, path)
}

// readFile reads at most one byte more than is allowed, so that parseTree
// notices a file that is too large without holding all of it in memory.
func readFile(path string) (data []byte, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: create it, or write the defaults there", fs.ErrNotExist)
	}
	if err != nil {
		return nil, pathless(err)
	}
	// Reading a pipe or a device could block or never end.
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file: give the path of one")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, pathless(err)
	}
	defer f.Close() // only read from: closing cannot lose anything
	data, err = io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, pathless(err)
	}
	return data, nil
}

// pathless drops the path from an error of package os: Error names the file.
func pathless(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("cannot %s the file: %w", pe.Op, pe.Err)
	}
	return err
}

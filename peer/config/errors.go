package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Errors that an [Error] may wrap, for callers to test with errors.Is. A
// missing file is [io/fs.ErrNotExist], and an existing one [io/fs.ErrExist].
var (
	ErrNoSection     = errors.New("the section is missing: add it to the file")
	ErrUnknownKey    = errors.New("unknown key")
	ErrDuplicateKey  = errors.New("given more than once: keep one of them")
	ErrTooLarge      = errors.New("too large for a configuration")
	ErrUnknownFormat = errors.New("unknown format: name the file .yaml, .yml, .ini, .conf or .cfg")
)

// Error says what is wrong in a configuration, and where. Every error of this
// package is an *Error.
type Error struct {
	File    string // the path, or the name that was given to Parse
	Section string // empty for the top level
	Key     string // dotted for nested structs; empty if the error is not about one key
	Line    int    // counts from 1; 0 if not known
	Err     error  // what is wrong, and what to do about it
}

// Error returns the file, the line, the section and the key, as far as they are
// known, and what is wrong.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("config: ")
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			b.WriteString(":" + strconv.Itoa(e.Line))
		}
		b.WriteString(": ")
	} else if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	if e.Section != "" {
		fmt.Fprintf(&b, "section %q: ", e.Section)
	}
	if e.Key != "" {
		fmt.Fprintf(&b, "key %q: ", e.Key)
	}
	fmt.Fprintf(&b, "%v", e.Err)
	return b.String()
}

// Unwrap returns what is wrong without the place.
func (e *Error) Unwrap() error { return e.Err }

// at returns err as an *Error about this file and section. It keeps the key and
// the line that err already has.
func at(file, section string, err error) error {
	if err == nil {
		return nil
	}
	var known *Error
	if !errors.As(err, &known) {
		return &Error{File: file, Section: section, Err: err}
	}
	e := *known
	e.File, e.Section = file, section
	return &e
}

// keyErrorf returns an error about one key. at adds the file and section later.
func keyErrorf(key string, line int, format string, args ...any) error {
	return &Error{Key: key, Line: line, Err: fmt.Errorf(format, args...)}
}

// clip quotes at most 40 characters of text, so that a hostile or secret value
// does not fill the log.
func clip(text string) string {
	const limit = 40
	n := 0
	for i := range text {
		if n == limit {
			return strconv.Quote(text[:i]) + "…"
		}
		n++
	}
	return strconv.Quote(text)
}

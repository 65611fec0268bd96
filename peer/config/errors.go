package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// What an [Error] may wrap, for callers that decide on it. A missing file is
// [io/fs.ErrNotExist], and a file that is already there [io/fs.ErrExist].
var (
	ErrNoSection     = errors.New("the section is missing: add it to the file")
	ErrUnknownKey    = errors.New("unknown key")
	ErrDuplicateKey  = errors.New("given more than once: keep one of them")
	ErrTooLarge      = errors.New("too large for a configuration")
	ErrUnknownFormat = errors.New("unknown format: name the file .yaml, .yml, .ini, .conf or .cfg")
)

// Error says where in a configuration something is wrong. Everything that this
// package returns as an error is one.
type Error struct {
	File    string // the path, or the name that was given to Parse
	Section string // empty for the top level
	Key     string // dotted for nested structs; empty if it is about no single key
	Line    int    // counts from 1; 0 if not known
	Err     error  // what is wrong, and what to do about it
}

// Error names the file, the line, the section and the key, as far as known.
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

// at makes err an *Error about this file and section. What err already knows
// about the key and the line stays.
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

// keyErrorf is an error about one key; the caller's caller adds the file.
func keyErrorf(key string, line int, format string, args ...any) error {
	return &Error{Key: key, Line: line, Err: fmt.Errorf(format, args...)}
}

// clip keeps a hostile or secret value from filling the log: at most 40
// characters of it are shown.
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

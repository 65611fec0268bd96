package main

import (
	"io"
	"os"
	"strings"
)

// A color is the code of a terminal escape sequence.
type color string

const (
	bold  color = "1"
	dim   color = "2"
	red   color = "31"
	green color = "32"
	blue  color = "34"
	cyan  color = "36"
)

// terminal reports whether w is a terminal.
func terminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// colored reports whether to color output to w: as -color says, or by default
// if w is a terminal and NO_COLOR (no-color.org) is not set.
func (o *options) colored(w io.Writer) bool {
	switch o.color {
	case "always":
		return true
	case "auto":
		return terminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	}
	return false
}

// paint colors a text for standard output, if that is colored.
func (o *options) paint(c color, s string) string {
	if !o.colored(o.std.out) {
		return s
	}
	return c.of(s)
}

func (c color) of(s string) string { return "\x1b[" + string(c) + "m" + s + "\x1b[0m" }

// paintJSON colors a valid JSON text without terminal escapes.
func (o *options) paintJSON(text string) string {
	if !o.colored(o.std.out) {
		return text
	}
	var b strings.Builder
	for text != "" {
		n, c := token(text)
		if c == "" {
			b.WriteString(text[:n])
		} else {
			b.WriteString(c.of(text[:n]))
		}
		text = text[n:]
	}
	return b.String()
}

// token returns the length and the color of the first token of a JSON text.
func token(text string) (n int, c color) {
	switch ch := text[0]; {
	case ch == '"':
		n = 1
		for n < len(text) && text[n] != '"' {
			if text[n] == '\\' {
				n++
			}
			n++
		}
		n = min(n+1, len(text))
		if strings.HasPrefix(strings.TrimLeft(text[n:], " "), ":") {
			return n, blue
		}
		return n, green
	case strings.IndexByte("-0123456789tfn", ch) >= 0:
		n = strings.IndexAny(text, ",]} \n\t")
		if n < 0 {
			n = len(text)
		}
		return n, cyan
	}
	return 1, ""
}

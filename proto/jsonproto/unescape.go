package jsonproto

import (
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// A text is a string of JSON between its quotes.
type text struct {
	b       []byte
	escaped bool // it has backslashes
	rule    rule
}

// A rule tells what a backslash means.
type rule byte

const (
	header   rule = iota // the escapes of JSON and of Go; any other is an error
	body                 // the escapes of JSON; any other backslash stands for itself
	openBody             // only \", in a body of v7 without an end
)

// appendTo appends t unescaped. The result is never longer than t, so dst may be
// t.b[:0].
func (t text) appendTo(dst []byte) ([]byte, bool) {
	s := t.b
	if !t.escaped {
		return append(dst, s...), true
	}
	start := len(dst)
	dst = slices.Grow(dst, len(s))
	out, n := dst[start:start+len(s)], 0 // n of its bytes are written
	for i := 0; i < len(s); {
		c := s[i]
		if c != '\\' {
			out[n] = c
			n++
			i++
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' { // by far the most frequent
			out[n] = '"'
			n++
			i += 2
			continue
		}
		more, k := t.rule.unescape(out[:n], s[i:])
		if k == 0 {
			return dst, false
		}
		n = len(more)
		i += k
	}
	return dst[:start+n], true
}

// unescape appends the meaning of the escape at the start of s and returns its
// length in s, or 0 if it is an error.
func (r rule) unescape(dst, s []byte) ([]byte, int) {
	var c byte
	if len(s) > 1 {
		c = s[1]
	}
	if r == openBody && c != '"' {
		return append(dst, '\\'), 1
	}
	switch c {
	case '"', '\\', '/':
		return append(dst, c), 2
	case 'b':
		return append(dst, '\b'), 2
	case 'f':
		return append(dst, '\f'), 2
	case 'n':
		return append(dst, '\n'), 2
	case 'r':
		return append(dst, '\r'), 2
	case 't':
		return append(dst, '\t'), 2
	case 'u':
		if v, ok := hexDigits(s[2:], 4); ok {
			return appendUTF16(dst, s, v)
		}
	}
	if r == body {
		return append(dst, '\\'), 1
	}
	switch c {
	case 'a':
		return append(dst, '\a'), 2
	case 'v':
		return append(dst, '\v'), 2
	case 'x':
		if v, ok := hexDigits(s[2:], 2); ok {
			return append(dst, byte(v)), 4
		}
	case 'U':
		if v, ok := hexDigits(s[2:], 8); ok && v <= utf8.MaxRune {
			return utf8.AppendRune(dst, rune(v)), 10
		}
	}
	return dst, 0
}

// appendUTF16 appends the rune of \uXXXX, with the value v, and of a low surrogate
// that follows it.
func appendUTF16(dst, s []byte, v uint32) ([]byte, int) {
	r := rune(v)
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(dst, r), 6
	}
	if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if low, ok := hexDigits(s[8:], 4); ok {
			if both := utf16.DecodeRune(r, rune(low)); both != utf8.RuneError {
				return utf8.AppendRune(dst, both), 12
			}
		}
	}
	return utf8.AppendRune(dst, utf8.RuneError), 6
}

// hexDigits returns the value of the first n digits of s.
func hexDigits(s []byte, n int) (v uint32, ok bool) {
	if len(s) < n {
		return 0, false
	}
	for _, c := range s[:n] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint32(c)
	}
	return v, true
}

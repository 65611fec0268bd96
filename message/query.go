package message

import (
	"bytes"
	"strings"
)

// Status and metadata travel as query text: k=v&k=v, where A-Z a-z 0-9 . _ -
// * stand for themselves and every other byte is %XX.

const upperHex = "0123456789ABCDEF"

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '.' || c == '_' || c == '-' || c == '*'
}

func appendEscaped(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; plain(c) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

// unescape is the inverse of appendEscaped; it also reads + as a space and leaves
// a malformed escape as it is.
func unescape(b []byte) string {
	if bytes.IndexByte(b, '%') < 0 && bytes.IndexByte(b, '+') < 0 {
		return string(b)
	}
	var sb strings.Builder
	sb.Grow(len(b))
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '+':
			sb.WriteByte(' ')
		case c == '%' && i+2 < len(b) && hex(b[i+1]) >= 0 && hex(b[i+2]) >= 0:
			sb.WriteByte(byte(hex(b[i+1])<<4 | hex(b[i+2])))
			i += 2
		default:
			sb.WriteByte(c)
		}
	}
	return sb.String()
}

// hex returns the value of a hexadecimal digit, -1 for any other byte.
func hex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// eachPair calls f for every k=v of query; f returns false to stop.
func eachPair(query []byte, f func(k, v []byte) bool) {
	for len(query) > 0 {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte{'&'})
		k, v, _ := bytes.Cut(pair, []byte{'='})
		if len(pair) > 0 && !f(k, v) {
			return
		}
	}
}

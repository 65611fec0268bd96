package jsonproto

import (
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const lowerHex = "0123456789abcdef"

// width is how many bytes the escape of a byte adds; 0 means that it is not
// escaped.
var width = func() (w [256]uint8) {
	for c := range byte(' ') {
		w[c] = 5
	}
	for c := range short {
		if short[c] != 0 {
			w[c] = 1
		}
	}
	return w
}()

// short maps a byte to the letter of its two-byte escape.
var short = [256]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

// escapeFrom escapes dst[at:] in place, from its end, so that nothing has to
// be copied aside.
func escapeFrom(dst []byte, at int) []byte {
	more := 0
	for _, c := range dst[at:] {
		more += int(width[c])
	}
	if more == 0 {
		return dst
	}
	from := len(dst)
	dst = slices.Grow(dst, more)[:from+more]
	for to := len(dst); from < to; { // when both meet, the rest has no escapes
		from--
		c := dst[from]
		switch width[c] {
		case 0:
			to--
			dst[to] = c
		case 1:
			to -= 2
			dst[to], dst[to+1] = '\\', short[c]
		default:
			to -= 6
			copy(dst[to:], `\u00`)
			dst[to+4], dst[to+5] = lowerHex[c>>4], lowerHex[c&15]
		}
	}
	return dst
}

// appendMethod appends s escaped as [strconv.Quote] does, which is what v7
// writes, as far as that is JSON.
func appendMethod(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; width[c] != 0 || c >= 0x7f {
			return appendMethodSlow(dst, s)
		}
	}
	return append(dst, s...)
}

func appendMethodSlow(dst []byte, s string) []byte {
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r < utf8.RuneSelf && width[r] != 0:
			at := len(dst)
			dst = escapeFrom(append(dst, byte(r)), at)
		case r == utf8.RuneError && n == 1, strconv.IsPrint(r):
			dst = append(dst, s[:n]...)
		case r <= 0xffff:
			dst = appendU(dst, r)
		default:
			high, low := utf16.EncodeRune(r)
			dst = appendU(appendU(dst, high), low)
		}
		s = s[n:]
	}
	return dst
}

func appendU(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', lowerHex[r>>12&15], lowerHex[r>>8&15], lowerHex[r>>4&15], lowerHex[r&15])
}

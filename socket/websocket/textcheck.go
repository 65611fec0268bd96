package websocket

import "unicode/utf8"

// A textCheck checks whether a text that comes in pieces is valid UTF-8. The zero
// value is ready.
type textCheck struct {
	part []byte // of an incomplete rune
}

// next checks one more piece; last says whether it is the last. It reports false
// once the text can't be valid any more.
func (t *textCheck) next(b []byte, last bool) bool {
	if len(t.part) > 0 {
		b = append(t.part, b...)
	}
	whole := len(b)
	for i := len(b) - 1; !last && i >= 0 && i > len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				whole = i
			}
			break
		}
	}
	t.part = append([]byte(nil), b[whole:]...)
	return utf8.Valid(b[:whole])
}

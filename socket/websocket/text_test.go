package websocket

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestTextInPieces cuts texts at every place, and checks that the verdict on the
// pieces is that on the whole.
func TestTextInPieces(t *testing.T) {
	for _, text := range []string{
		"", "plain", "ü", "…", "𝄞", "aü…𝄞b", "𝄞𝄞", "…\x80", "a\xff", "\xf0\x9d\x84", "ü\xc3", "\xed\xa0\x80", "\x80\x80\x80\x80\x80",
	} {
		for i := range len(text) + 1 {
			for j := i; j <= len(text); j++ {
				var c textCheck
				got := c.next([]byte(text[:i]), false) && c.next([]byte(text[i:j]), false) && c.next([]byte(text[j:]), true)
				if want := utf8.ValidString(text); got != want {
					t.Errorf("%q | %q | %q: %v, want %v", text[:i], text[i:j], text[j:], got, want)
				}
			}
		}
	}
	var c textCheck
	if !c.next([]byte(strings.Repeat("ü", 10_000)), false) || len(c.part) > 0 {
		t.Errorf("%d bytes of a whole text are kept", len(c.part))
	}
}

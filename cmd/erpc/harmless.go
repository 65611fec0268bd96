package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// harmless escapes unprintable characters in s: names and texts come from the
// other side and must not control the terminal.
func harmless(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) && r != utf8.RuneError {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRuneToASCII(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}

// harmlessJSON is harmless for a valid JSON text, whose value it preserves, or
// a text with JSON strings: unprintable characters are escaped inside strings,
// and white space outside is kept.
func harmlessJSON(text []byte) string {
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case unicode.IsPrint(r), r == '\n', r == '\t', r == '\r':
			b.WriteRune(r) // valid JSON has no control characters in strings
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return strings.ReplaceAll(b.String(), "\r", "")
}

// asJSON returns a body as JSON: unchanged if it is JSON, else as a string, or
// in base64 if it is not text.
func asJSON(body []byte) json.RawMessage {
	if len(body) == 0 {
		return json.RawMessage("null")
	}
	if json.Valid(body) {
		return body
	}
	text := string(body)
	if !utf8.ValidString(text) {
		text = base64.StdEncoding.EncodeToString(body)
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		return json.RawMessage("null") // can't happen for a string
	}
	return quoted
}

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

// harmless returns s with everything escaped that is not printed as it is: names
// and texts come from the other side and must not steer the terminal.
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

// harmlessJSON is harmless for a valid JSON text, which stays the same value, or a
// text whose strings are written as in JSON: what is not printed is escaped inside
// of strings, and space stays outside.
func harmlessJSON(text []byte) string {
	var b strings.Builder
	for _, r := range string(text) {
		switch {
		case unicode.IsPrint(r), r == '\n', r == '\t', r == '\r':
			b.WriteRune(r) // control characters do not stand in strings
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return strings.ReplaceAll(b.String(), "\r", "")
}

// asJSON returns a body as JSON: itself if it is that, else its text as a string,
// and bytes that are not text in base64.
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
		return json.RawMessage("null") // a string always has a form
	}
	return quoted
}

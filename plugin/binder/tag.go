package binder

import (
	"fmt"
	"strconv"
	"strings"
)

// The keys of the tag.
const (
	tagName    = "param"
	tagIgnore  = "-"
	keyMeta    = "meta"
	keySwap    = "swap"
	keyDesc    = "desc"
	keyLen     = "len"
	keyRange   = "range"
	keyNonzero = "nonzero"
	keyRegexp  = "regexp"
	keyStat    = "stat"

	fromBody = "body"
)

var keys = map[string]bool{
	keyMeta: true, keySwap: true, keyDesc: true, keyLen: true, keyRange: true,
	keyNonzero: true, keyRegexp: true, keyStat: true,
}

// parseTag returns the values of a tag by their keys.
func parseTag(tag string) (map[string]string, error) {
	values := make(map[string]string)
	for {
		tag = strings.TrimLeft(tag, " \t,;")
		if tag == "" {
			return values, nil
		}
		if tag[0] != '<' {
			return nil, fmt.Errorf("%q is not in angle brackets; write <%s>", tag, strings.TrimSpace(tag))
		}
		text, rest, err := bracket(tag[1:])
		if err != nil {
			return nil, err
		}
		key, value, _ := strings.Cut(text, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !keys[key] {
			return nil, fmt.Errorf("<%s> is unknown; use meta, swap, desc, len, range, nonzero, regexp or stat", key)
		}
		if _, twice := values[key]; twice {
			return nil, fmt.Errorf("<%s> is given twice", key)
		}
		values[key] = value
		tag = rest
	}
}

// bracket returns the unescaped text up to the closing bracket, and the rest
// after it.
func bracket(s string) (text, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '>':
			return b.String(), s[i+1:], nil
		case c == '\\' && i+1 < len(s):
			i++
			if s[i] != '<' && s[i] != '>' {
				b.WriteByte(c) // a backslash of the value itself
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", fmt.Errorf("<%s has no closing bracket", s)
}

// bounds returns the two parts of a range; "" means no bound.
func bounds(value string) (low, high string, err error) {
	low, high, two := strings.Cut(value, ":")
	low, high = strings.TrimSpace(low), strings.TrimSpace(high)
	if !two {
		high = low
	}
	if low == "" && high == "" || strings.Contains(high, ":") {
		return "", "", fmt.Errorf("%q is not a range; write a:b, a: or :b", value)
	}
	return low, high, nil
}

// parseStat returns the parts of a stat.
func parseStat(value string) (code int32, msg string, err error) {
	number, msg, ok := strings.Cut(value, ":")
	if !ok {
		return 0, "", fmt.Errorf("<stat:%s> is malformed; write <stat:code:message>", value)
	}
	number = strings.TrimSpace(number)
	if number != "" {
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil {
			return 0, "", fmt.Errorf("<stat:%s>: the code is not a 32-bit integer", value)
		}
		code = int32(n)
	}
	return code, strings.TrimSpace(msg), nil
}

// snake returns the name of a field in snake case as v7 writes it: XyZ becomes
// xy_z.
func snake(name string) string {
	var b strings.Builder
	low := false // the previous letter was lower case
	for _, c := range []byte(name) {
		if c >= 'A' && c <= 'Z' {
			if low {
				b.WriteByte('_')
				low = false
			}
			c += 'a' - 'A'
		} else if c != '_' {
			low = true
		}
		b.WriteByte(c)
	}
	return b.String()
}

package config

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// unquoteINI returns the text of an INI value, without quotes and without a
// comment.
func unquoteINI(raw string) (string, error) {
	text, rest, err := cutINI(raw, false)
	if err != nil {
		return "", err
	}
	if rest != "" {
		return "", errors.New("text after the closing quote: put all of it into the quotes")
	}
	return text, nil
}

// splitINI returns the items of an INI list. An empty value is an empty list;
// an empty item is written as "".
func splitINI(raw string) ([]string, error) {
	if isComment(raw) || strings.TrimSpace(raw) == "" {
		return nil, nil
	}
	var items []string
	for {
		bare := !strings.HasPrefix(strings.TrimSpace(raw), `"`) && !strings.HasPrefix(strings.TrimSpace(raw), `'`)
		item, rest, err := cutINI(raw, true)
		if err != nil {
			return nil, err
		}
		if item == "" && bare {
			return nil, errors.New(`an empty item: remove the extra comma, or write ""`)
		}
		items = append(items, item)
		if rest == "" {
			return items, nil
		}
		if rest[0] != ',' {
			return nil, errors.New("text after the closing quote: separate items by commas")
		}
		raw = rest[1:]
	}
}

// cutINI splits the first text off raw and returns it and the rest, without
// spaces and without a comment. In a list, a comma ends text that is not
// quoted.
func cutINI(raw string, list bool) (text, rest string, err error) {
	raw = strings.TrimSpace(raw)
	switch {
	case strings.HasPrefix(raw, `"`):
		quoted, err := strconv.QuotedPrefix(raw)
		if err != nil {
			return "", "", errors.New(`broken double quotes: close them, and write \\ for \ and \" for "`)
		}
		text, err = strconv.Unquote(quoted)
		if err != nil {
			return "", "", err
		}
		if !utf8.ValidString(text) {
			return "", "", errors.New(`escapes that are not UTF-8: write \u00ff for the character, not its byte`)
		}
		rest = raw[len(quoted):]
	case strings.HasPrefix(raw, `'`):
		var closed bool
		text, rest, closed = strings.Cut(raw[1:], `'`)
		if !closed {
			return "", "", errors.New("broken single quotes: close them, or use double ones")
		}
	default:
		end := len(raw)
		for i := range len(raw) {
			if list && raw[i] == ',' || isComment(raw[i:]) && (i == 0 || isBlank(raw[i-1])) {
				end = i
				break
			}
		}
		text, rest = strings.TrimSpace(raw[:end]), raw[end:]
	}
	rest = strings.TrimSpace(rest)
	if isComment(rest) {
		rest = ""
	}
	return text, rest, nil
}

func isComment(s string) bool { return s != "" && (s[0] == '#' || s[0] == ';') }

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

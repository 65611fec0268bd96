package config

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

// variable matches a reference to the environment, ${NAME} or ${NAME:-default},
// and the escape $${, which means a literal ${.
var variable = regexp.MustCompile(`\$\$\{|\$\{[^}]*\}?`)

// name matches the names of environment variables that can be used.
var name = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// A budget bounds what the variables of a file may add to it.
type budget struct{ left int } // bytes

// expand replaces the variables in text.
func (b *budget) expand(text string) (string, error) {
	if !strings.Contains(text, "${") {
		return text, nil
	}
	var failed error
	out := variable.ReplaceAllStringFunc(text, func(ref string) string {
		value, err := lookup(ref)
		b.left -= len(value)
		if err == nil && b.left < 0 {
			err = fmt.Errorf("%w: the variables of the environment add more than %d KiB", ErrTooLarge, maxSize>>10)
		}
		if err != nil {
			failed = errors.Join(failed, err)
			return ""
		}
		return value
	})
	return out, failed
}

func lookup(ref string) (string, error) {
	if ref == "$${" {
		return "${", nil
	}
	inner, closed := strings.CutSuffix(strings.TrimPrefix(ref, "${"), "}")
	if !closed {
		return "", fmt.Errorf("value %s: close the variable with }, or write $${ for the text ${", clip(ref))
	}
	key, def, hasDefault := strings.Cut(inner, ":-")
	if !name.MatchString(key) {
		return "", fmt.Errorf("value %s: the name of a variable has letters, digits and _ only; write $${ for the text ${", clip(ref))
	}
	value, set := os.LookupEnv(key)
	switch {
	case set && value != "" || set && !hasDefault:
	case hasDefault:
		value = def
	default:
		return "", fmt.Errorf("the environment variable %s is not set: set it, or write ${%s:-default}", key, key)
	}
	if !utf8.ValidString(value) {
		return "", fmt.Errorf("the environment variable %s is not UTF-8", key)
	}
	return value, nil
}

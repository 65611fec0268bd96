package binder

import (
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

const (
	// maxExcerpt bounds, in bytes, how much of a received value an error quotes.
	maxExcerpt = 64
	// maxReason bounds a reason and the name of a parameter, in bytes, because a
	// validator may quote received values too.
	maxReason = 256
	// maxQuoted bounds how many elements of a slice an error quotes.
	maxQuoted = 4
)

// excerpt formats a value for an error. Its cost is bounded however large the
// value is.
func excerpt(v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		return cut(v.String(), maxExcerpt)
	case reflect.Slice, reflect.Array:
		var b strings.Builder
		b.WriteByte('[')
		for i := range min(v.Len(), maxQuoted) {
			if i > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(excerpt(v.Index(i)))
			if b.Len() > maxExcerpt {
				break
			}
		}
		if v.Len() > maxQuoted || b.Len() > maxExcerpt {
			b.WriteString("…")
		}
		b.WriteByte(']')
		return cut(b.String(), maxReason)
	case reflect.Map:
		return fmt.Sprintf("map of %d", v.Len())
	case reflect.Struct, reflect.Pointer, reflect.Interface:
		return v.Type().String()
	}
	return fmt.Sprint(v.Interface()) // a number or a bool
}

// cut shortens text to about max bytes and marks the place.
func cut(text string, max int) string {
	if len(text) <= max {
		return text
	}
	for max > 0 && !utf8.RuneStart(text[max]) {
		max--
	}
	return text[:max] + "…"
}

package codec

import (
	"errors"
	"fmt"
	"reflect"
)

// PlainCodec writes one string, []byte, bool or number as text: strings and
// bytes as they are, integers in decimal, floats without an exponent, bools as
// "true" and "false". It accepts named types of these kinds and pointers to them
// as well; nil and nil pointers give no text. Complex numbers and uintptr are not
// supported.
type PlainCodec struct{}

var _ Appender = PlainCodec{}

const plainHint = "pass a string, []byte, bool or number, or a pointer to one, or choose another codec such as json"

// ID is ID_PLAIN.
func (PlainCodec) ID() byte { return ID_PLAIN }

// Name is "plain".
func (PlainCodec) Name() string { return NAME_PLAIN }

// Marshal returns the text of v.
func (c PlainCodec) Marshal(v any) ([]byte, error) { return c.MarshalAppend(nil, v) }

// MarshalAppend appends the text of v to dst.
func (PlainCodec) MarshalAppend(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return dst, nil
	case string:
		return append(dst, v...), nil
	case []byte:
		return append(dst, v...), nil
	}
	out, err := appendScalar(dst, reflect.ValueOf(v))
	if err != nil {
		return dst, typeError(NAME_PLAIN, v, plainHint)
	}
	return out, nil
}

// Unmarshal stores the value of the text in data in what v points to. If v is
// nil it does nothing. If v is a []byte the text is copied to its start and must
// fit; a *[]byte keeps its storage if the text fits, and gets new storage if not.
func (PlainCodec) Unmarshal(data []byte, v any) error {
	switch v := v.(type) {
	case nil:
		return nil
	case *string:
		if v != nil {
			*v = string(data)
			return nil
		}
	case []byte:
		if len(data) > len(v) {
			return fmt.Errorf("codec: plain: %d bytes do not fit a []byte of %d: pass a *[]byte", len(data), len(v))
		}
		copy(v, data)
		return nil
	case *[]byte:
		if v != nil {
			*v = append((*v)[:0], data...)
			return nil
		}
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return typeError(NAME_PLAIN, v, "pass a pointer that is not nil")
	}
	if err := parseScalar(string(data), rv.Elem()); err != nil {
		if errors.Is(err, errNoScalar) {
			return typeError(NAME_PLAIN, v, plainHint)
		}
		return fmt.Errorf("codec: plain: %w", err)
	}
	return nil
}

var _ Coster = PlainCodec{}

// Cost implements [Coster]: the text once, as a string or as bytes.
func (PlainCodec) Cost(data []byte, _ any, _ int) int { return allocated(len(data)) }

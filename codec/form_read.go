package codec

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"reflect"
)

// errFormPairs is the error of too many pairs for a map or for slices and
// interfaces.
var errFormPairs = fmt.Errorf("codec: form: more than %d pairs: send less in one message, or use another codec such as json", MaxFormPairs)

// formReader reads a form text in one pass. Its work is linear in the text,
// whatever the keys are, and everything that it stores is a copy.
type formReader struct {
	rest []byte
}

// each calls f with every pair, unescaped. The slices belong to the reader.
func (r *formReader) each(f func(key, value []byte) error) error {
	for len(r.rest) > 0 {
		var pair []byte
		pair, r.rest, _ = bytes.Cut(r.rest, []byte{'&'})
		if len(pair) == 0 {
			continue
		}
		if bytes.IndexByte(pair, ';') >= 0 {
			return errors.New("codec: form: a semicolon separates nothing: escape it as %3B")
		}
		rawKey, rawValue, _ := bytes.Cut(pair, []byte{'='})
		key, err := formUnescape(rawKey)
		if err != nil {
			return err
		}
		value, err := formUnescape(rawValue)
		if err != nil {
			return err
		}
		if err := f(key, value); err != nil {
			return err
		}
	}
	return nil
}

// formUnescape returns b itself if nothing is escaped.
func formUnescape(b []byte) ([]byte, error) {
	if bytes.IndexByte(b, '%') < 0 && bytes.IndexByte(b, '+') < 0 {
		return b, nil
	}
	s, err := url.QueryUnescape(string(b))
	if err != nil {
		return nil, fmt.Errorf("codec: form: %w", err) // quotes at most three bytes
	}
	return []byte(s), nil
}

// readStruct stores the pairs in the fields of s. A slice field with pairs is
// replaced; its elements come only from its pairs.
func (r *formReader) readStruct(s reflect.Value) error {
	plan, err := formPlanOf(s.Type())
	if err != nil {
		return err
	}
	seen := make([]int, len(plan.sorted)) // pairs so far, by formField.place
	pairs := 0                            // stored in slices and interfaces
	return r.each(func(key, value []byte) error {
		for _, f := range plan.find(key) {
			if f.list || f.any {
				pairs++
			}
			if pairs > MaxFormPairs {
				return errFormPairs
			}
			n := seen[f.place]
			seen[f.place]++
			if n > 0 && !f.list && !f.any {
				continue // the first one counts
			}
			if err := f.store(settle(f.make(s)), n, value); err != nil {
				return fmt.Errorf("codec: form: key %q: %w", excerpt(f.name), err)
			}
		}
		return nil
	})
}

// store puts the n-th value of the field's key in v.
func (f *formField) store(v reflect.Value, n int, value []byte) error {
	switch {
	case !f.list:
		return setFormValue(v, n, string(value), f.time)
	case v.Kind() == reflect.Array:
		if n >= v.Len() {
			return fmt.Errorf("more values than the %d of the array", v.Len())
		}
		return setFormValue(v.Index(n), 0, string(value), f.time)
	}
	return appendFormValue(v, n, string(value), f.time)
}

// appendFormValue appends to the slice v, which starts again with n = 0.
func appendFormValue(v reflect.Value, n int, text string, f *timeFormat) error {
	if n == 0 {
		v.SetZero() // not v[:0]: the old elements may be in use
	}
	v.Grow(1)
	v.SetLen(n + 1)
	return setFormValue(v.Index(n), 0, text, f)
}

// setFormValue puts the n-th text for v in v.
func setFormValue(v reflect.Value, n int, text string, f *timeFormat) error {
	v = settle(v)
	switch {
	case v.Type() == timeType:
		t, err := f.parse(text)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(t))
		return nil
	case v.Kind() == reflect.Interface:
		switch n {
		case 0:
			v.Set(reflect.ValueOf(text))
		case 1:
			v.Set(reflect.ValueOf([]string{v.Elem().String(), text}))
		default:
			v.Set(reflect.ValueOf(append(v.Interface().([]string), text)))
		}
		return nil
	case text == "" && v.Kind() != reflect.String:
		v.SetZero()
		return nil
	}
	return parseScalar(text, v)
}

// readMap replaces the map in m by one of the pairs, if all of them are valid.
func (r *formReader) readMap(m reflect.Value) error {
	made := reflect.MakeMap(m.Type())
	elem := m.Type().Elem()
	list := elem.Kind() == reflect.Slice && !isBytes(elem)
	seen := make(map[string]int)
	pairs := 0
	err := r.each(func(key, value []byte) error {
		pairs++
		if pairs > MaxFormPairs {
			return errFormPairs
		}
		k := string(key)
		n := seen[k]
		seen[k]++
		if n > 0 && !list && elem.Kind() != reflect.Interface {
			return nil // the first one counts
		}
		kv := reflect.ValueOf(k).Convert(m.Type().Key())
		v := reflect.New(elem).Elem()
		if n > 0 {
			v.Set(made.MapIndex(kv))
		}
		set := setFormValue
		if list {
			set = appendFormValue
		}
		if err := set(v, n, string(value), rfc3339); err != nil {
			return fmt.Errorf("codec: form: key %q: %w", excerpt(k), err)
		}
		made.SetMapIndex(kv, v)
		return nil
	})
	if err == nil {
		m.Set(made)
	}
	return err
}

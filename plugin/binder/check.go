package binder

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
)

// A check returns an error for an invalid value.
type check func(reflect.Value) error

// compileChecks makes the checks of a field, in the order len, range, nonzero,
// regexp.
func compileChecks(t reflect.Type, values map[string]string) (list []check, err error) {
	add := func(c check, e error) {
		list, err = append(list, c), errors.Join(err, e)
	}
	if v, ok := values[keyLen]; ok {
		add(checkLen(t, v))
	}
	if v, ok := values[keyRange]; ok {
		add(checkRange(t, v))
	}
	if v, ok := values[keyNonzero]; ok {
		if v != "" {
			return nil, fmt.Errorf("<nonzero:%s>: nonzero takes no value", v)
		}
		add(checkNonzero, nil)
	}
	if v, ok := values[keyRegexp]; ok {
		add(checkRegexp(t, v))
	}
	return list, err
}

func checkLen(t reflect.Type, value string) (check, error) {
	switch t.Kind() {
	case reflect.String, reflect.Slice, reflect.Map, reflect.Array:
	default:
		return nil, fmt.Errorf("<len:%s> can't be used with a %s, which has no length", value, t)
	}
	low, high, err := parseBounds(value, strconv.Atoi)
	if err != nil {
		return nil, fmt.Errorf("<len:%s>: %w", value, err)
	}
	return func(v reflect.Value) error {
		n := v.Len()
		if low != nil && n < *low {
			return fmt.Errorf("shorter than %d: %s", *low, excerpt(v))
		}
		if high != nil && n > *high {
			return fmt.Errorf("longer than %d: %s", *high, excerpt(v))
		}
		return nil
	}, nil
}

// parseBounds returns the bounds; nil means no bound.
func parseBounds[T cmp.Ordered](value string, parse func(string) (T, error)) (low, high *T, err error) {
	a, b, err := bounds(value)
	if err != nil {
		return nil, nil, err
	}
	for _, end := range []struct {
		text string
		to   **T
	}{{a, &low}, {b, &high}} {
		if end.text == "" {
			continue
		}
		n, err := parse(end.text)
		if err != nil {
			return nil, nil, fmt.Errorf("%q does not fit: %w", end.text, errors.Unwrap(err))
		}
		*end.to = &n
	}
	if low != nil && high != nil && *low > *high {
		return nil, nil, fmt.Errorf("%v is above %v, so no value fits", *low, *high)
	}
	return low, high, nil
}

func checkRange(t reflect.Type, value string) (check, error) {
	elem := t
	if t.Kind() == reflect.Slice {
		elem = t.Elem()
	}
	var c check
	var err error
	switch elem.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		c, err = between(value, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }, reflect.Value.Int)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		c, err = between(value, func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) }, reflect.Value.Uint)
	case reflect.Float32, reflect.Float64:
	default:
		return nil, fmt.Errorf("<range:%s> can't be used with a %s, which is not a number", value, t)
	}
	if c == nil || err != nil { // floats, and bounds of whole numbers such as 0.5
		c, err = between(value, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }, toFloat)
	}
	if err != nil {
		return nil, fmt.Errorf("<range:%s>: %w", value, err)
	}
	if t.Kind() == reflect.Slice {
		return each(c), nil
	}
	return c, nil
}

func toFloat(v reflect.Value) float64 {
	switch {
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	case v.Kind() == reflect.Float32: // compare the decimal text: a float32 0.1 is within 0:0.1
		f, err := strconv.ParseFloat(strconv.FormatFloat(v.Float(), 'g', -1, 32), 64)
		if err == nil {
			return f
		}
	}
	return v.Float()
}

// between returns a check that compares without loss, in the type T.
func between[T int64 | uint64 | float64](value string, parse func(string) (T, error), get func(reflect.Value) T) (check, error) {
	low, high, err := parseBounds(value, parse)
	if err != nil {
		return nil, err
	}
	return func(v reflect.Value) error {
		n := get(v)
		if n != n { // NaN
			return fmt.Errorf("not a number")
		}
		if low != nil && n < *low {
			return fmt.Errorf("smaller than %v: %s", *low, excerpt(v))
		}
		if high != nil && n > *high {
			return fmt.Errorf("bigger than %v: %s", *high, excerpt(v))
		}
		return nil
	}, nil
}

func checkNonzero(v reflect.Value) error {
	zero := v.IsZero()
	if k := v.Kind(); k == reflect.Slice || k == reflect.Map {
		zero = v.Len() == 0
	}
	if zero {
		return errors.New("zero value")
	}
	return nil
}

func checkRegexp(t reflect.Type, value string) (check, error) {
	list := t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String
	if t.Kind() != reflect.String && !list {
		return nil, fmt.Errorf("<regexp:%s> can't be used with a %s; it is for strings", value, t)
	}
	re, err := regexp.Compile(value)
	if err != nil {
		return nil, fmt.Errorf("<regexp:%s>: %w", value, err)
	}
	c := func(v reflect.Value) error {
		if s := v.String(); !re.MatchString(s) {
			return fmt.Errorf("not match %s: %s", re, cut(s, maxExcerpt))
		}
		return nil
	}
	if list {
		return each(c), nil
	}
	return c, nil
}

// each returns a check that applies c to the elements of a slice.
func each(c check) check {
	return func(v reflect.Value) error {
		for i := range v.Len() {
			if err := c(v.Index(i)); err != nil {
				return err
			}
		}
		return nil
	}
}

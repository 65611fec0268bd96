package codec

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

// errNoScalar is the error for a value that has no text.
var errNoScalar = errors.New("not a string, number, bool or []byte")

// indirect follows pointers and interfaces to what they hold. The result is
// invalid if one of them is nil.
func indirect(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	return v
}

// settle follows pointers to what they hold and allocates values for nil ones. v
// must be settable if it is a nil pointer.
func settle(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	return v
}

// isBytes reports whether t is a slice of bytes, of any name.
func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

// isScalar reports whether appendScalar and parseScalar accept values of type t.
func isScalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return isBytes(t)
}

// appendScalar appends the text of v: decimal numbers, floats without an exponent,
// "true" and "false", strings and byte slices as they are. A nil pointer has no
// text.
func appendScalar(dst []byte, v reflect.Value) ([]byte, error) {
	v = indirect(v)
	switch v.Kind() {
	case reflect.Invalid:
		return dst, nil
	case reflect.String:
		return append(dst, v.String()...), nil
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(dst, v.Uint(), 10), nil
	case reflect.Float32, reflect.Float64:
		return strconv.AppendFloat(dst, v.Float(), 'f', -1, v.Type().Bits()), nil
	case reflect.Slice:
		if isBytes(v.Type()) {
			return append(dst, v.Bytes()...), nil
		}
	}
	return dst, errNoScalar
}

// parseScalar stores the value of the text s in v. v must be settable; pointers on
// the way are allocated. A number that does not fit v is an error.
func parseScalar(s string, v reflect.Value) error {
	v = settle(v)
	var err error
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		var b bool
		b, err = strconv.ParseBool(s)
		if err == nil {
			v.SetBool(b)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var n int64
		n, err = strconv.ParseInt(s, 10, v.Type().Bits())
		if err == nil {
			v.SetInt(n)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var n uint64
		n, err = strconv.ParseUint(s, 10, v.Type().Bits())
		if err == nil {
			v.SetUint(n)
		}
	case reflect.Float32, reflect.Float64:
		var f float64
		f, err = strconv.ParseFloat(s, v.Type().Bits())
		if err == nil {
			v.SetFloat(f)
		}
	default:
		if !isBytes(v.Type()) {
			return errNoScalar
		}
		v.SetBytes([]byte(s))
	}
	var num *strconv.NumError
	if errors.As(err, &num) {
		// num quotes the whole text; keep only the reason.
		return fmt.Errorf("%q is not a valid %s: %w", excerpt(s), v.Kind(), num.Err)
	}
	return err
}

package binder

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// assignable reports whether assign supports the type.
func assignable(t reflect.Type) bool {
	if t.Kind() == reflect.Slice {
		return isBytes(t) || isBytes(t.Elem()) || isScalar(t.Elem())
	}
	return isScalar(t)
}

func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

func isScalar(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}

// assign sets v to sent, replacing what the body had: to the first value, or to
// all of them if v is a slice. It does not retain sent.
func assign(v reflect.Value, sent [][]byte) error {
	if v.Kind() != reflect.Slice || isBytes(v.Type()) {
		return assignOne(v, string(sent[0]))
	}
	list := reflect.MakeSlice(v.Type(), len(sent), len(sent))
	for i, s := range sent {
		if err := assignOne(list.Index(i), string(s)); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

func assignOne(v reflect.Value, s string) error {
	var err error
	switch {
	case v.Kind() == reflect.String:
		v.SetString(s)
	case isBytes(v.Type()):
		v.SetBytes([]byte(s))
	case v.Kind() == reflect.Bool:
		var b bool
		b, err = parseBool(s)
		v.SetBool(b)
	case v.CanInt():
		var n int64
		n, err = strconv.ParseInt(s, 10, v.Type().Bits())
		v.SetInt(n)
	case v.CanUint():
		var n uint64
		n, err = strconv.ParseUint(s, 10, v.Type().Bits())
		v.SetUint(n)
	case v.CanFloat():
		var f float64
		f, err = strconv.ParseFloat(s, v.Type().Bits())
		v.SetFloat(f)
	}
	if err != nil {
		var n *strconv.NumError
		if errors.As(err, &n) {
			err = n.Err
		}
		return fmt.Errorf("%q is not a %s: %w", cut(s, maxExcerpt), v.Kind(), err)
	}
	return nil
}

// parseBool accepts the texts that v7 does.
func parseBool(s string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "on", "1", "yes":
		return true, nil
	case "false", "off", "0", "no", "":
		return false, nil
	}
	return false, strconv.ErrSyntax
}

// convert sets v to a value of the swap, converted if the conversion is
// lossless.
func convert(v reflect.Value, value any) error {
	src := reflect.Indirect(reflect.ValueOf(value))
	if !src.IsValid() {
		return fmt.Errorf("nil is not a %s", v.Type())
	}
	t := v.Type()
	switch {
	case src.Type().AssignableTo(t):
		v.Set(src)
		return nil
	case !src.CanConvert(t), (t.Kind() == reflect.String) != (src.Kind() == reflect.String) && isScalar(src.Type()):
		return fmt.Errorf("a %s is not a %s", src.Type(), t) // Go would convert an integer to a string as a code point
	}
	dst := src.Convert(t)
	if isScalar(t) && isScalar(src.Type()) && (dst.CanInt() || dst.CanUint()) && !sameNumber(dst, src) {
		return fmt.Errorf("%s does not fit into %s", excerpt(src), t)
	}
	v.Set(dst)
	return nil
}

// sameNumber reports whether dst, an integer converted from src, has the same
// value.
func sameNumber(dst, src reflect.Value) bool {
	negative := func(v reflect.Value) bool { return v.CanInt() && v.Int() < 0 || v.CanFloat() && v.Float() < 0 }
	return negative(dst) == negative(src) && dst.Convert(src.Type()).Equal(src)
}

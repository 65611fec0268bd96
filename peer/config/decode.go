package config

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// setting is a field and the value that the file has for it. Settings are
// applied after the whole file was parsed, so that an error changes nothing.
type setting struct {
	field, value reflect.Value
}

func decode(format Format, root *node, target reflect.Value) ([]setting, error) {
	// Check nested structs even if the file leaves them out: a mistake in the
	// struct must show with any file.
	if err := checkStruct(format, target.Type(), nil); err != nil {
		return nil, err
	}
	return appendSettings(nil, source{format, &budget{maxSize}}, root, target, "")
}

// A source is what settings are read from: a format and the environment.
type source struct {
	format Format
	env    *budget // bounds what variables add to values
}

func appendSettings(out []setting, src source, table *node, target reflect.Value, prefix string) ([]setting, error) {
	fields, err := fieldsOf(src.format, target)
	if err != nil {
		return nil, err
	}
	byName := make(map[string]field, len(fields))
	for _, f := range fields {
		byName[f.name] = f
	}
	for _, n := range table.table {
		key := prefix + n.name
		f, ok := byName[n.name]
		if !ok {
			return nil, keyErrorf(key, n.line, "%w: %s", ErrUnknownKey, knownKeys(fields))
		}
		switch f.kind {
		case structField, pointerField:
			out, err = appendStruct(out, src, n, f, key)
		case tableListField:
			out, err = appendTables(out, src, n, f, key)
		case listField:
			var items []string
			items, err = src.list(n, key)
			if err == nil {
				out = append(out, setting{f.value, listValue(f.value, items)})
			}
		case scalarField:
			out, err = appendScalar(out, src, n, f, key)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func appendScalar(out []setting, src source, n *node, f field, key string) ([]setting, error) {
	text, err := n.scalar(key)
	if err != nil {
		return nil, err
	}
	text, err = src.env.expand(text)
	if err != nil {
		return nil, keyErrorf(key, n.line, "%w", err)
	}
	value := reflect.New(f.value.Type()).Elem()
	if err := setText(value, text); err != nil {
		return nil, keyErrorf(key, n.line, "%w", err)
	}
	return append(out, setting{f.value, value}), nil
}

// list returns the items of a list with variables expanded.
func (src source) list(n *node, key string) ([]string, error) {
	items, err := n.list(key)
	for i := range items {
		items[i], err = src.env.expand(items[i])
		if err != nil {
			return nil, keyErrorf(key, n.line, "%w", err)
		}
	}
	return items, err
}

// appendStruct appends the settings of a struct or of a pointer to one. A
// pointer is set to a modified copy, because the struct that it points to now
// may be shared.
func appendStruct(out []setting, src source, n *node, f field, key string) ([]setting, error) {
	if n.kind == textNode && n.text == "" {
		return out, nil // null: the file leaves it out
	}
	if n.kind != tableNode {
		return nil, keyErrorf(key, n.line, "a single value or a list where keys are expected: %s", knownKeysBelow(src.format, f, key))
	}
	target := f.value
	if f.kind == pointerField {
		p := reflect.New(f.value.Type().Elem())
		if f.value.IsNil() {
			if d, ok := p.Interface().(Defaulter); ok {
				d.SetDefaults()
			}
		} else {
			p.Elem().Set(f.value.Elem())
		}
		out = append(out, setting{f.value, p})
		target = p.Elem()
	}
	return appendSettings(out, src, n, target, key+".")
}

// appendTables appends the setting of a slice of structs.
func appendTables(out []setting, src source, n *node, f field, key string) ([]setting, error) {
	items, err := n.tables(src.format, key)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		if f.value.Len() == 0 {
			return out, nil
		}
		return append(out, setting{f.value, reflect.Zero(f.value.Type())}), nil
	}
	s := reflect.MakeSlice(f.value.Type(), len(items), len(items))
	out = append(out, setting{f.value, s})
	for i, item := range items {
		if d, ok := s.Index(i).Addr().Interface().(Defaulter); ok {
			d.SetDefaults()
		}
		out, err = appendSettings(out, src, item, s.Index(i), key+"."+item.name+".")
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func knownKeys(fields []field) string {
	if len(fields) == 0 {
		return "no keys are known here: delete it"
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return "the known ones are " + strings.Join(names, ", ")
}

func knownKeysBelow(format Format, f field, key string) string {
	if format == INI {
		return fmt.Sprintf("make it a section whose name ends in %q", "."+key)
	}
	t := f.value.Type()
	if f.kind == pointerField {
		t = t.Elem()
	}
	fields, err := fieldsOf(format, reflect.New(t).Elem())
	if err != nil {
		return err.Error()
	}
	return knownKeys(fields)
}

// listValue makes a slice of the field's type. If both the list and the current
// slice are empty, it returns current, nil or not.
func listValue(current reflect.Value, items []string) reflect.Value {
	if len(items) == 0 {
		if current.Len() == 0 {
			return current
		}
		return reflect.Zero(current.Type())
	}
	s := reflect.MakeSlice(current.Type(), len(items), len(items))
	for i, item := range items {
		s.Index(i).SetString(item)
	}
	return s
}

// setText parses text and sets v. Its errors show the value and the right form.
func setText(v reflect.Value, text string) error {
	if isText(v.Type()) {
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
			return fmt.Errorf("value %s: %w", clip(text), err)
		}
		return nil
	}
	if v.Kind() == reflect.String {
		v.SetString(text)
		return nil
	}
	if text == "" {
		return errors.New("no value: give one, or delete the key to keep the default")
	}
	if v.Type() == durationType {
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("value %s is not a duration: write it with its unit, as 3s, 100ms or 1h30m", clip(text))
		}
		v.SetInt(int64(d))
		return nil
	}
	switch v.Kind() {
	case reflect.Bool:
		return setBool(v, text)
	case reflect.Float32, reflect.Float64:
		x, err := strconv.ParseFloat(text, v.Type().Bits())
		if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
			return fmt.Errorf("value %s is not a finite %v: write a number such as 0.5", clip(text), v.Kind())
		}
		v.SetFloat(x)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		bits := v.Type().Bits()
		x, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			limit := int64(math.MaxInt64) >> (64 - bits)
			return fmt.Errorf("value %s: write a whole number from %d to %d", clip(text), -limit-1, limit)
		}
		v.SetInt(x)
	default: // kindOf lets only unsigned integers through to here
		bits := v.Type().Bits()
		x, err := strconv.ParseUint(text, 10, bits)
		if err != nil {
			return fmt.Errorf("value %s: write a whole number from 0 to %d", clip(text), uint64(math.MaxUint64)>>(64-bits))
		}
		v.SetUint(x)
	}
	return nil
}

func setBool(v reflect.Value, text string) error {
	switch strings.ToLower(text) {
	case "true", "yes", "on":
		v.SetBool(true)
	case "false", "no", "off":
		v.SetBool(false)
	default:
		return fmt.Errorf("value %s: write true or false", clip(text))
	}
	return nil
}

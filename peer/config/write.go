package config

import (
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// WriteDefault writes the current values of cfg, a struct or a pointer to one,
// to a new file at path, each below its comment. Users can start from this
// file. Load with the same section reads the same values back. To write the
// defaults of a [Defaulter], call its SetDefaults first.
//
// WriteDefault does not overwrite an existing file: errors.Is(err,
// fs.ErrExist). Only the owner can read the new file, because secrets may be
// added to it.
func WriteDefault(path, section string, cfg any) error {
	format, err := FormatOf(path)
	if err != nil {
		return at(path, section, err)
	}
	data, err := AppendDefault(nil, format, section, cfg)
	if err != nil {
		return at(path, section, err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return at(path, section, fmt.Errorf("%w: remove it first, or write to another path", fs.ErrExist))
	}
	if err != nil {
		return at(path, section, pathless(err))
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Close())
	if err != nil {
		// Remove the file: half of one would be taken for a whole one.
		return at(path, section, fmt.Errorf("cannot write the file: %w", errors.Join(err, os.Remove(path))))
	}
	return nil
}

// AppendDefault appends to dst what WriteDefault would write.
func AppendDefault(dst []byte, format Format, section string, cfg any) ([]byte, error) {
	out, err := appendDefault(dst, format, section, cfg)
	if err != nil {
		return dst, at("", section, err)
	}
	return out, nil
}

func appendDefault(dst []byte, format Format, section string, cfg any) ([]byte, error) {
	if err := format.check(); err != nil {
		return nil, err
	}
	path, err := splitSection(section)
	if err != nil {
		return nil, err
	}
	v := reflect.ValueOf(cfg)
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	} else if v.Kind() == reflect.Struct {
		// Copy the struct, because methods with pointer receivers are called on its
		// fields.
		copied := reflect.New(v.Type()).Elem()
		copied.Set(v)
		v = copied
	}
	if v.Kind() != reflect.Struct {
		return nil, fmt.Errorf("cannot write a %T: pass a struct or a pointer to one", cfg)
	}
	if format == INI {
		return appendINI(dst, section, v)
	}
	for i, name := range path {
		dst = append(dst, strings.Repeat(yamlIndent, i)+name+":\n"...)
	}
	return appendYAML(dst, strings.Repeat(yamlIndent, len(path)), v, "")
}

const yamlIndent = "  "

func appendYAML(dst []byte, indent string, v reflect.Value, prefix string) ([]byte, error) {
	fields, err := fieldsOf(YAML, v)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		dst = appendComment(dst, indent+"# ", f.comment)
		if f.kind == pointerField {
			if f.value.IsNil() {
				dst = append(dst, indent+f.name+": null\n"...)
				continue
			}
			f.kind, f.value = structField, f.value.Elem()
		}
		dst = append(dst, indent+f.name+":"...)
		switch f.kind {
		case structField:
			dst = append(dst, '\n')
			dst, err = appendYAML(dst, indent+yamlIndent, f.value, prefix+f.name+".")
			if err != nil {
				return nil, err
			}
		case tableListField:
			dst, err = appendYAMLTables(dst, indent, f, prefix)
			if err != nil {
				return nil, err
			}
		case listField:
			items, err := quoteList(f, prefix)
			if err != nil {
				return nil, err
			}
			if len(items) == 0 {
				dst = append(dst, " []"...)
			}
			for _, item := range items {
				dst = append(dst, "\n"+indent+yamlIndent+"- "+item...)
			}
			dst = append(dst, '\n')
		default:
			text, err := quoteScalar(f, prefix)
			if err != nil {
				return nil, err
			}
			dst = append(dst, " "+text+"\n"...)
		}
	}
	return dst, nil
}

// appendYAMLTables writes the items of a slice of structs, the dash of each on a
// line of its own.
func appendYAMLTables(dst []byte, indent string, f field, prefix string) (out []byte, err error) {
	if f.value.Len() == 0 {
		return append(dst, " []\n"...), nil
	}
	dst = append(dst, '\n')
	for i := range f.value.Len() {
		dst = append(dst, indent+yamlIndent+"-\n"...)
		dst, err = appendYAML(dst, indent+yamlIndent+yamlIndent, f.value.Index(i), fmt.Sprintf("%s%s.%d.", prefix, f.name, i+1))
		if err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// appendINI writes the section's own keys before the sections below it, because
// a key after a section belongs to that section.
func appendINI(dst []byte, section string, v reflect.Value) ([]byte, error) {
	fields, err := fieldsOf(INI, v)
	if err != nil {
		return nil, err
	}
	if section != "" {
		dst = append(dst, "["+section+"]\n"...)
	}
	for _, f := range fields {
		if f.kind == structField || f.kind == pointerField || f.kind == tableListField {
			continue
		}
		text := ""
		if f.kind == listField {
			items, err := quoteList(f, "")
			if err != nil {
				return nil, err
			}
			text = strings.Join(items, ", ")
		} else {
			text, err = quoteScalar(f, "")
			if err != nil {
				return nil, err
			}
		}
		dst = appendComment(dst, "; ", f.comment)
		dst = append(dst, strings.TrimSpace(f.name+" = "+text)+"\n"...)
	}
	for _, f := range fields {
		child := strings.TrimPrefix(section+"."+f.name, ".")
		switch {
		case f.kind == structField:
			dst, err = appendINISection(dst, f.comment, child, f.value)
		case f.kind == pointerField && f.value.IsNil():
			if len(dst) > 0 {
				dst = append(dst, '\n')
			}
			dst = appendComment(dst, "; ", f.comment+"\nThe section ["+child+"] is left out.")
		case f.kind == pointerField:
			dst, err = appendINISection(dst, f.comment, child, f.value.Elem())
		case f.kind == tableListField:
			for i := range f.value.Len() {
				dst, err = appendINISection(dst, f.comment, fmt.Sprint(child, ".", i+1), f.value.Index(i))
				if err != nil {
					return nil, err
				}
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return dst, nil
}

func appendINISection(dst []byte, comment, section string, v reflect.Value) ([]byte, error) {
	if len(dst) > 0 {
		dst = append(dst, '\n')
	}
	return appendINI(appendComment(dst, "; ", comment), section, v)
}

// appendComment writes each line of the comment after the comment sign.
func appendComment(dst []byte, sign, comment string) []byte {
	for line := range strings.Lines(comment) {
		line = strings.Map(func(r rune) rune {
			if unicode.IsPrint(r) {
				return r
			}
			return ' '
		}, line)
		dst = append(dst, strings.TrimRight(sign+line, " ")+"\n"...)
	}
	return dst
}

func quoteList(f field, prefix string) ([]string, error) {
	items := make([]string, f.value.Len())
	for i := range items {
		var err error
		items[i], err = quote(f.value.Index(i).String())
		if err != nil {
			return nil, keyErrorf(prefix+f.name, 0, "%w", err)
		}
	}
	return items, nil
}

func quoteScalar(f field, prefix string) (string, error) {
	text, plain, err := textOf(f.value)
	if err == nil && !plain {
		text, err = quote(text)
	}
	if err != nil {
		return "", keyErrorf(prefix+f.name, 0, "%w", err)
	}
	return text, nil
}

// textOf is the inverse of setText. Plain text needs no quotes in any format.
func textOf(v reflect.Value) (text string, plain bool, err error) {
	if isText(v.Type()) {
		if !reflect.PointerTo(v.Type()).Implements(textMarshalerType) {
			return "", false, fmt.Errorf("a %v cannot be written: give it a MarshalText method", v.Type())
		}
		data, err := v.Addr().Interface().(encoding.TextMarshaler).MarshalText()
		return string(data), false, err
	}
	if v.Type() == durationType {
		return time.Duration(v.Int()).String(), true, nil
	}
	switch v.Kind() {
	case reflect.String:
		return v.String(), false, nil
	case reflect.Bool:
		return strconv.FormatBool(v.Bool()), true, nil
	case reflect.Float32, reflect.Float64:
		x := v.Float()
		if math.IsInf(x, 0) || math.IsNaN(x) {
			return "", false, fmt.Errorf("%v cannot be written: use a finite number", x)
		}
		return strconv.FormatFloat(x, 'g', -1, v.Type().Bits()), true, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10), true, nil
	default: // kindOf lets only unsigned integers through to here
		return strconv.FormatUint(v.Uint(), 10), true, nil
	}
}

// bareText matches text that needs no quotes in YAML and INI: it does not start
// like a number, and has no character that is special in either format.
var bareText = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./@+-]*$`)

// reserved holds the words that YAML readers may take for a bool or null.
var reserved = map[string]bool{
	"true": true, "false": true, "yes": true, "no": true, "on": true, "off": true,
	"y": true, "n": true, "null": true,
}

// quote puts text into double quotes if it needs them. YAML knows all of Go's
// escapes, and this package unquotes INI as Go does.
func quote(text string) (string, error) {
	if !utf8.ValidString(text) {
		return "", fmt.Errorf("value %s is not UTF-8: encode it, for example as base64", clip(text))
	}
	if bareText.MatchString(text) && !reserved[strings.ToLower(text)] {
		return text, nil
	}
	return strconv.Quote(strings.ReplaceAll(text, "${", "$${")), nil
}

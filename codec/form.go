package codec

import (
	"bytes"
	"cmp"
	"fmt"
	"net/url"
	"reflect"
	"slices"
)

// MaxFormPairs is how many key-value pairs [FormCodec] reads into a map, or into
// the slices and interfaces of a struct: both take far more memory than the text.
// Pairs whose key the struct does not have are not counted.
const MaxFormPairs = 10_000

// FormCodec writes application/x-www-form-urlencoded text, sorted by key.
//
// It takes structs, url.Values, and maps from strings to scalars or slices of
// them, such as map[string]string, map[string][]string and map[string]any, and
// pointers to all of these. A scalar is a string, bool, integer, float or
// time.Time, of any name, or a pointer to one; a nil pointer is left out.
// In a struct,
//
//   - the tag `form:"key"` gives the key, which otherwise is the field's name;
//     `form:"-"` leaves the field out, as are unexported fields; a field without
//     that tag is read, too, by the name in its tag json, by that in the .proto if
//     it is of a generated protobuf message, and by its own in any case of ASCII;
//   - slices and arrays of scalars repeat their key, in their order; a []byte
//     field is such a slice: one number per byte;
//   - a struct without a tag, embedded or named, is flattened: its fields
//     are written in its place;
//   - a time.Time is written in the layout that the tag `time_format` gives, or
//     time.RFC3339Nano; `time_utc:"true"` or `time_location:"Asia/Tokyo"` says
//     the zone of the layout;
//   - anything else (maps, nested slices, tagged structs, types that contain
//     themselves) is a [*TypeError], because it would be lost otherwise.
//
// When reading, unknown keys are ignored, missing ones leave their field
// unchanged, and an empty text is the zero of numbers, bools and times. If a field
// that is not a slice has several values, the first one counts. An interface
// becomes a string, or a []string if its key is repeated; a bare *any becomes
// url.Values.
type FormCodec struct{}

var _ Appender = FormCodec{}

const formHint = "pass a struct, url.Values or a map from strings to strings or slices of them, or choose another codec such as json"

// ID is ID_FORM.
func (FormCodec) ID() byte { return ID_FORM }

// Name is "form".
func (FormCodec) Name() string { return NAME_FORM }

// Marshal returns the form text of v; nothing if v is nil.
func (c FormCodec) Marshal(v any) ([]byte, error) { return c.MarshalAppend(nil, v) }

// MarshalAppend appends the form text of v to dst.
func (FormCodec) MarshalAppend(dst []byte, v any) ([]byte, error) {
	w := formWriter{buf: dst, start: len(dst)}
	rv := indirect(reflect.ValueOf(v))
	var err error
	switch {
	case !rv.IsValid():
	case isFormMap(rv.Type()):
		err = w.writeMap(rv)
	case rv.Kind() == reflect.Struct && rv.Type() != timeType:
		err = w.writeStruct(rv)
	default:
		err = typeError(NAME_FORM, v, formHint)
	}
	if err != nil {
		return dst, err
	}
	return w.buf, nil
}

// Unmarshal stores the pairs in data in what v points to. If v is nil it only
// checks data. When it fails, v may hold part of the pairs.
func (FormCodec) Unmarshal(data []byte, v any) error {
	r := formReader{rest: data}
	if v == nil {
		return r.each(func(_, _ []byte) error { return nil })
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return typeError(NAME_FORM, v, "pass a pointer that is not nil")
	}
	rv = settle(rv)
	switch {
	case rv.Kind() == reflect.Interface && rv.NumMethod() == 0:
		var values url.Values
		if err := r.readMap(reflect.ValueOf(&values).Elem()); err != nil {
			return err
		}
		rv.Set(reflect.ValueOf(values))
		return nil
	case isFormMap(rv.Type()):
		return r.readMap(rv)
	case rv.Kind() == reflect.Struct && rv.Type() != timeType:
		return r.readStruct(rv)
	}
	return typeError(NAME_FORM, v, formHint)
}

// isFormMap reports a map from strings to values that a pair can carry.
func isFormMap(t reflect.Type) bool {
	if t.Kind() != reflect.Map || t.Key().Kind() != reflect.String {
		return false
	}
	elem := t.Elem()
	if elem.Kind() == reflect.Slice && !isBytes(elem) {
		elem = elem.Elem()
	}
	return isFormValue(elem)
}

// formWriter appends pairs to buf. Bytes before buf[start] are the caller's.
type formWriter struct {
	buf   []byte
	start int
}

// writePair appends one pair; key is escaped and ends with "=". A nil pointer
// has no text.
func (w *formWriter) writePair(key string, f *timeFormat, v reflect.Value) error {
	v = indirect(v)
	if len(w.buf) > w.start {
		w.buf = append(w.buf, '&')
	}
	w.buf = append(w.buf, key...)
	switch {
	case !v.IsValid():
	case v.Type() == timeType:
		w.buf = append(w.buf, url.QueryEscape(f.format(v))...)
	case v.Kind() == reflect.String:
		w.buf = append(w.buf, url.QueryEscape(v.String())...)
	case v.CanInt() || v.CanUint() || v.Kind() == reflect.Bool:
		w.buf, _ = appendScalar(w.buf, v) // can't fail for these types, and needs no escapes
	default:
		text, err := appendScalar(nil, v)
		if err != nil {
			return err
		}
		w.buf = append(w.buf, url.QueryEscape(string(text))...)
	}
	return nil
}

// writeList appends one pair for each element.
func (w *formWriter) writeList(key string, f *timeFormat, v reflect.Value) error {
	for i := range v.Len() {
		if err := w.writePair(key, f, v.Index(i)); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	return nil
}

func (w *formWriter) writeMap(m reflect.Value) error {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
	for _, k := range keys {
		key := url.QueryEscape(k.String()) + "="
		v := indirect(m.MapIndex(k))
		if !v.IsValid() {
			continue
		}
		write := w.writePair
		if isFormList(v.Type()) {
			write = w.writeList
		}
		if err := write(key, rfc3339, v); err != nil {
			return &TypeError{
				Codec: NAME_FORM,
				Type:  fmt.Sprintf("%s with a %s under the key %q", m.Type(), v.Type(), excerpt(k.String())),
				Hint:  "values are scalars or slices of scalars",
			}
		}
	}
	return nil
}

// isFormList reports whether a value in a map is written as several pairs. A byte
// slice is one text.
func isFormList(t reflect.Type) bool {
	return (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) && !isBytes(t)
}

func (w *formWriter) writeStruct(s reflect.Value) error {
	plan, err := formPlanOf(s.Type())
	if err != nil {
		return err
	}
	for _, f := range plan.sorted {
		v := indirect(f.get(s))
		if !v.IsValid() {
			continue
		}
		write := w.writePair
		if f.list || f.any && isFormList(v.Type()) {
			write = w.writeList
		}
		if err := write(f.key, f.time, v); err != nil {
			return &TypeError{
				Codec: NAME_FORM,
				Type:  fmt.Sprintf("%s with a %s in its field for the key %q", s.Type(), v.Type(), f.name),
				Hint:  "interfaces must hold scalars or slices of them",
			}
		}
	}
	return nil
}

var _ Coster = FormCodec{}

// Cost implements [Coster]. Each pair counts as one of the largest kind that v can
// hold, plus its text.
func (FormCodec) Cost(data []byte, v any, limit int) int {
	if v == nil {
		return 0
	}
	t := reflect.TypeOf(v)
	if t.Kind() != reflect.Pointer {
		return 0 // Unmarshal refuses it
	}
	pair := plus(ElementCost(t), 32)
	if t.Elem().Kind() == reflect.Interface {
		pair = 1 << 10 // it becomes url.Values
	}
	text := times(len(data), 2)
	if quick := plus(text, times(len(data)/2+1, pair)); quick <= limit {
		return quick
	}
	return plus(text, times(min(bytes.Count(data, []byte("&"))+1, MaxFormPairs), pair))
}

package codec

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

var timeType = reflect.TypeFor[time.Time]()

// formPlan maps keys to fields of a struct type.
type formPlan struct {
	sorted []*formField            // by key; fields of the same key in order
	byName map[string][]*formField // by key, unescaped
	// byFold are fields without a tag form by their key in lower case; if several
	// have it, the first one. No key is longer than maxFold.
	byFold map[string][]*formField
}

// maxFold is the length, in bytes, of the longest key that is matched in any case.
const maxFold = 64

// find returns the fields for a key in the text: those with that name, or else the
// one whose name in the code differs only in case.
func (p *formPlan) find(key []byte) []*formField {
	if f := p.byName[string(key)]; f != nil || len(key) > maxFold {
		return f
	}
	var lower [maxFold]byte
	for i, b := range key {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		lower[i] = b
	}
	return p.byFold[string(lower[:len(key)])]
}

// formField is one field, perhaps of a flattened struct.
type formField struct {
	name    string   // the key
	aliases []string // other keys to read: the names of the field in a .proto and in JSON
	fold    bool     // the key is read in any case
	key     string   // the key, escaped, and "="
	path    []int    // field indices from the outermost struct
	place   int      // index in formPlan.sorted
	list    bool     // a slice or array of scalars
	any     bool     // an interface, which takes any number of values
	time    *timeFormat
}

// get returns the field of s, or an invalid value if a pointer on the way is nil.
func (f *formField) get(s reflect.Value) reflect.Value {
	for _, i := range f.path {
		s = indirect(s)
		if !s.IsValid() {
			return s
		}
		s = s.Field(i)
	}
	return s
}

// make returns the field of s and allocates the structs on the way.
func (f *formField) make(s reflect.Value) reflect.Value {
	for _, i := range f.path {
		s = settle(s).Field(i)
	}
	return s
}

// formPlans caches plans: reflect.Type to *formPlan. Programs have few types,
// so nothing is ever dropped.
var formPlans sync.Map

func formPlanOf(t reflect.Type) (*formPlan, error) {
	if p, ok := formPlans.Load(t); ok {
		return p.(*formPlan), nil
	}
	b := formPlanner{outer: t}
	if err := b.add(t, nil); err != nil {
		return nil, err
	}
	inOrder := slices.Clone(b.fields)
	slices.SortStableFunc(b.fields, func(x, y *formField) int { return cmp.Compare(x.name, y.name) })
	p := &formPlan{sorted: b.fields, byName: make(map[string][]*formField)}
	for i, f := range p.sorted {
		f.place = i
		p.byName[f.name] = append(p.byName[f.name], f)
	}
	named := maps.Clone(p.byName)
	for _, f := range p.sorted {
		for _, alias := range f.aliases {
			if named[alias] == nil { // otherwise it is the key of another field
				p.byName[alias] = []*formField{f}
			}
		}
	}
	p.byFold = make(map[string][]*formField)
	for _, f := range inOrder {
		if fold := strings.ToLower(f.name); f.fold && len(fold) <= maxFold && p.byFold[fold] == nil {
			p.byFold[fold] = []*formField{f}
		}
	}
	formPlans.Store(t, p)
	return p, nil
}

type formPlanner struct {
	outer  reflect.Type
	within []reflect.Type // the structs being flattened, outermost first
	fields []*formField
}

func (b *formPlanner) fail(f reflect.StructField, hint string) error {
	return &TypeError{
		Codec: NAME_FORM,
		Type:  fmt.Sprintf("%s because of its field %s %s", b.outer, f.Name, f.Type),
		Hint:  hint + `, or leave the field out with the tag form:"-"`,
	}
}

// add appends the fields of the struct type t, found under path.
func (b *formPlanner) add(t reflect.Type, path []int) error {
	b.within = append(b.within, t)
	defer func() { b.within = b.within[:len(b.within)-1] }()
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("form")
		ft := f.Type
		for ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		flat := name == "" && ft.Kind() == reflect.Struct && ft != timeType
		// Exported fields are reachable through an embedded unexported struct,
		// but not through a pointer to one, which reflection cannot set.
		hidden := !f.IsExported() && !(flat && f.Anonymous && f.Type.Kind() == reflect.Struct)
		if name == "-" || hidden {
			continue
		}
		here := append(slices.Clone(path), i)
		if flat {
			if slices.Contains(b.within, ft) {
				return b.fail(f, "a struct that contains itself cannot be flattened: use another codec such as json")
			}
			if err := b.add(ft, here); err != nil {
				return err
			}
			continue
		}
		if name == "" {
			name = f.Name
		}
		aliases, hiddenInJSON := otherNames(f.Tag)
		if f.Tag.Get("form") != "" {
			aliases = nil
		}
		field := &formField{name: name, aliases: aliases, fold: f.Tag.Get("form") == "" && !hiddenInJSON, key: url.QueryEscape(name) + "=", path: here, time: rfc3339}
		elem := ft
		if ft.Kind() == reflect.Slice || ft.Kind() == reflect.Array {
			field.list = true
			elem = ft.Elem()
		}
		if !isFormValue(elem) {
			if elem.Kind() == reflect.Struct && !field.list {
				return b.fail(f, "remove the form tag of the struct, so that its fields are flattened")
			}
			return b.fail(f, "use a scalar or a slice of scalars")
		}
		for elem.Kind() == reflect.Pointer {
			elem = elem.Elem()
		}
		field.any = elem.Kind() == reflect.Interface && !field.list
		if elem == timeType {
			var err error
			field.time, err = newTimeFormat(f.Tag)
			if err != nil {
				return b.fail(f, "correct its tags: "+err.Error())
			}
		}
		b.fields = append(b.fields, field)
	}
	return nil
}

// otherNames returns other names of a field without a tag form: in JSON and, in a
// generated protobuf message, in its .proto. hidden says that JSON leaves it out.
func otherNames(tag reflect.StructTag) (names []string, hidden bool) {
	for part := range strings.SplitSeq(tag.Get("protobuf"), ",") {
		if name, ok := strings.CutPrefix(part, "name="); ok {
			names = append(names, name)
		}
	}
	json := tag.Get("json")
	if name, _, _ := strings.Cut(json, ","); name != "" && json != "-" {
		names = append(names, name)
	}
	return names, json == "-"
}

// isFormValue reports whether one pair can carry a value of type t.
func isFormValue(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t == timeType || isScalar(t) || t.Kind() == reflect.Interface && t.NumMethod() == 0
}

// timeFormat is how a field writes and reads times.
type timeFormat struct {
	layout string
	loc    *time.Location // nil if the layout itself contains the zone
}

// rfc3339 is the format of fields without a tag.
var rfc3339 = &timeFormat{layout: time.RFC3339Nano}

func newTimeFormat(tag reflect.StructTag) (*timeFormat, error) {
	f := *rfc3339
	if layout := tag.Get("time_format"); layout != "" {
		f = timeFormat{layout: layout, loc: time.Local}
	}
	if s := tag.Get("time_utc"); s != "" {
		utc, err := strconv.ParseBool(s)
		if err != nil {
			return nil, fmt.Errorf("time_utc: %w", err)
		}
		if utc {
			f.loc = time.UTC
		}
	}
	if s := tag.Get("time_location"); s != "" {
		loc, err := time.LoadLocation(s)
		if err != nil {
			return nil, fmt.Errorf("time_location: %w", err)
		}
		f.loc = loc
	}
	return &f, nil
}

// format returns the text of the time in v; the zero time has none.
func (f *timeFormat) format(v reflect.Value) string {
	t := v.Interface().(time.Time)
	if t.IsZero() {
		return ""
	}
	if f.loc != nil {
		t = t.In(f.loc)
	}
	return t.Format(f.layout)
}

// parse is the inverse of format.
func (f *timeFormat) parse(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	loc := f.loc
	if loc == nil {
		loc = time.UTC
	}
	t, err := time.ParseInLocation(f.layout, s, loc)
	if err != nil {
		// time.ParseError quotes the whole text.
		return t, fmt.Errorf("%q is not a time in the layout %q", excerpt(s), f.layout)
	}
	return t, nil
}

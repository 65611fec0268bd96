package codec

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

// jsonKind is the kind of Go value that a JSON value becomes.
type jsonKind uint8

const (
	jsonLeaf   jsonKind = iota // a scalar, or a type with its own UnmarshalJSON
	jsonAny                    // an interface without methods: maps, slices, scalars
	jsonStruct                 // fields by name
	jsonList                   // a slice or an array
	jsonMap                    // any key, one type of value
)

// jsonPlan describes what decoding JSON into a Go type costs. Plans are immutable
// once they are in jsonPlans. They may refer to themselves.
type jsonPlan struct {
	kind   jsonKind
	target int                  // bytes allocated for pointers on the way to the value
	slot   int                  // jsonList: bytes for an element; jsonMap: for an entry
	first  int                  // jsonMap: bytes for the map and its first entries
	elem   *jsonPlan            // of a jsonList or a jsonMap
	fields map[string]*jsonPlan // of a jsonStruct
	worst  int                  // upper bound for one byte of JSON, over all reachable plans
}

// anyPlan is the plan of an interface. An element of a []any is 16 bytes, and
// so are key and value of a map[string]any.
var anyPlan = newAnyPlan()

func newAnyPlan() *jsonPlan {
	p := &jsonPlan{kind: jsonAny, slot: grown(16), first: firstEntryCost(16, 16)}
	p.worst = p.first
	return p
}

// jsonPlans caches plans: reflect.Type to *jsonPlan. Programs have few types, so
// nothing is ever dropped.
var jsonPlans sync.Map

func jsonPlanOf(t reflect.Type) *jsonPlan {
	if p, ok := jsonPlans.Load(t); ok {
		return p.(*jsonPlan)
	}
	b := jsonPlanner{made: make(map[reflect.Type]*jsonPlan), worst: 64}
	p := b.plan(t)
	p.worst = b.worst
	kept, _ := jsonPlans.LoadOrStore(t, p)
	return kept.(*jsonPlan)
}

// jsonPlanner makes the plans of a type and of all types that it contains.
type jsonPlanner struct {
	made  map[reflect.Type]*jsonPlan
	worst int // the highest cost of one value over all plans made
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

func (b *jsonPlanner) plan(t reflect.Type) *jsonPlan {
	if p := b.made[t]; p != nil {
		return p
	}
	p := new(jsonPlan)
	b.made[t] = p
	for t.Kind() == reflect.Pointer && t.Name() == "" {
		t = t.Elem()
		p.target = plus(p.target, allocated(int(t.Size())))
	}
	b.fill(p, t)
	b.worst = max(b.worst, p.target, p.slot, p.first)
	return p
}

func (b *jsonPlanner) fill(p *jsonPlan, t reflect.Type) {
	own := reflect.PointerTo(t)
	if own.Implements(jsonUnmarshaler) || own.Implements(textUnmarshaler) {
		return // a leaf
	}
	switch t.Kind() {
	case reflect.Interface:
		if t.NumMethod() == 0 {
			p.kind, p.slot, p.first = jsonAny, anyPlan.slot, anyPlan.first
		}
	case reflect.Struct:
		p.kind, p.fields = jsonStruct, make(map[string]*jsonPlan)
		b.addFields(p, t, nil)
	case reflect.Slice:
		p.kind, p.slot = jsonList, grown(int(t.Elem().Size()))
		p.elem = b.plan(t.Elem())
	case reflect.Array:
		p.kind = jsonList
		p.elem = b.plan(t.Elem())
	case reflect.Map:
		key, value := int(t.Key().Size()), int(t.Elem().Size())
		p.kind, p.slot, p.first = jsonMap, entryCost(key, value), firstEntryCost(key, value)
		p.elem = b.plan(t.Elem())
	}
}

// addFields adds the fields of the struct t, and those of the structs that it
// embeds, to p. If several have the same name, the first one counts unless a later
// one may take more than a leaf.
func (b *jsonPlanner) addFields(p *jsonPlan, t reflect.Type, within []reflect.Type) {
	for _, outer := range within {
		if outer == t {
			return
		}
	}
	within = append(within, t)
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Tag.Get("json") == "-" {
			continue
		}
		ft := f.Type
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		if f.Anonymous && name == "" && ft.Kind() == reflect.Struct {
			if f.Type.Kind() == reflect.Pointer {
				p.target = plus(p.target, allocated(int(ft.Size())))
			}
			b.addFields(p, ft, within)
			continue
		}
		if !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if have := p.fields[name]; have == nil || have.kind == jsonLeaf {
			p.fields[name] = b.plan(f.Type)
		}
	}
}

// field returns the plan for the key of an object, or nil if the struct has no
// such field. Like encoding/json, it prefers the exact name to one in another
// case.
func (p *jsonPlan) field(key []byte) *jsonPlan {
	if f, ok := p.fields[string(key)]; ok {
		return f
	}
	for name, f := range p.fields {
		if strings.EqualFold(name, string(key)) {
			return f
		}
	}
	return nil
}

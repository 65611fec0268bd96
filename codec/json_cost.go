package codec

import (
	"bytes"
	"encoding/json"
	"reflect"
)

var _ Coster = JSONCodec{}

// Cost implements [Coster]. It walks data along the type of v. A slice counts 9/4
// of the size of its elements, a map 3 times that of its entries (9 times for the
// first ones), a pointer its target, and a string its text and 8 bytes. Values for
// which v has no place do not count.
func (JSONCodec) Cost(data []byte, v any, limit int) int {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer {
		return 0 // Unmarshal refuses it
	}
	plan := jsonPlanOf(t.Elem())
	if quick := plus(len(data), times(len(data)/2+1, plan.worst)); quick <= limit {
		return quick
	}
	w := jsonWalk{b: data, limit: limit}
	w.value(plan, 0)
	return w.cost
}

// jsonWalk passes over a text once. It does not validate the text, because
// encoding/json does that before it allocates anything. It stops at invalid JSON.
type jsonWalk struct {
	b     []byte
	i     int
	cost  int
	limit int
}

func (w *jsonWalk) add(n int) { w.cost = plus(w.cost, n) }

// next returns the next byte that is not a space, 0 at the end.
func (w *jsonWalk) next() byte {
	for ; w.i < len(w.b); w.i++ {
		switch c := w.b[w.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// value walks one value and reports whether to continue. p is nil for a value that
// is dropped.
func (w *jsonWalk) value(p *jsonPlan, depth int) bool {
	if depth > MaxDepth {
		w.cost = max(w.cost, plus(w.limit, 1))
	}
	if w.cost > w.limit {
		return false
	}
	c := w.next()
	if p != nil && c != 'n' {
		w.add(p.target)
	}
	switch c {
	case '{':
		w.i++
		return w.object(p, depth)
	case '[':
		w.i++
		return w.list(p, depth)
	case '"':
		text := w.text()
		if p != nil {
			w.add(len(text) + 8)
			if p.kind == jsonAny {
				w.add(16)
			}
		}
		return true
	case 0:
		return false
	}
	start := w.i
	for w.i < len(w.b) && !endsScalar(w.b[w.i]) {
		w.i++
	}
	if p != nil && c != 'n' {
		w.add(w.i - start + 8)
	}
	return w.i > start
}

func endsScalar(c byte) bool {
	switch c {
	case ',', ']', '}', ' ', '\t', '\n', '\r', '"', ':', '{', '[':
		return true
	}
	return false
}

// text consumes a string and returns the text between its quotes.
func (w *jsonWalk) text() []byte {
	w.i++
	start := w.i
	for {
		n := bytes.IndexByte(w.b[w.i:], '"')
		if n < 0 {
			w.i = len(w.b)
			return w.b[start:]
		}
		w.i += n + 1
		escapes := 0
		for j := w.i - 2; j >= start && w.b[j] == '\\'; j-- {
			escapes++
		}
		if escapes%2 == 0 {
			return w.b[start : w.i-1]
		}
	}
}

// list walks the rest of an array.
func (w *jsonWalk) list(p *jsonPlan, depth int) bool {
	var elem *jsonPlan
	slot := 0
	if p != nil {
		switch p.kind {
		case jsonAny:
			elem, slot = anyPlan, anyPlan.slot
			w.add(48) // the slice in its interface, and the first elements
		case jsonList:
			elem, slot = p.elem, p.slot
		}
	}
	for {
		switch w.next() {
		case ']':
			w.i++
			return true
		case ',':
			w.i++
			continue
		}
		w.add(slot)
		if !w.value(elem, depth+1) {
			return false
		}
	}
}

// object walks the rest of an object.
func (w *jsonWalk) object(p *jsonPlan, depth int) bool {
	kind := jsonLeaf
	if p != nil {
		kind = p.kind
		w.add(p.first) // 0 for a struct
	}
	for n := 0; ; {
		switch w.next() {
		case '}':
			w.i++
			return true
		case ',', ':':
			w.i++
			continue
		case '"':
		default:
			return false
		}
		key := w.text()
		var value *jsonPlan
		switch kind {
		case jsonStruct:
			value = p.field(unescapeKey(key))
		case jsonAny, jsonMap:
			w.add(len(key) + 8)
			n++
			if n > mapGroup {
				w.add(p.entry())
			}
			value = p.elem
			if kind == jsonAny {
				value = anyPlan
			}
		}
		if w.next() != ':' {
			return false
		}
		w.i++
		if !w.value(value, depth+1) {
			return false
		}
	}
}

// entry returns the cost of an entry of a large map.
func (p *jsonPlan) entry() int {
	if p.kind == jsonAny {
		return entryCost(16, 16)
	}
	return p.slot
}

// unescapeKey returns a key without escapes; most have none.
func unescapeKey(key []byte) []byte {
	if bytes.IndexByte(key, '\\') < 0 {
		return key
	}
	var s string
	if json.Unmarshal(append(append([]byte{'"'}, key...), '"'), &s) != nil {
		return key // Unmarshal will refuse the text
	}
	return []byte(s)
}

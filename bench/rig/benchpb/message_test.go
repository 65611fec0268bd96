package benchpb

import (
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

func TestRequestSize(t *testing.T) {
	m := NewRequest()
	for _, n := range []uint32{0, 1, 999_999, 1_000_000, 1<<32 - 1} {
		m.Tag(n)
		if got := proto.Size(m); got != Size {
			t.Errorf("with tag %d the request has %d bytes, want %d", n, got, Size)
		}
	}
}

// Every field is set, so that none is left out of anybody's encoding.
func TestRequestIsFull(t *testing.T) {
	m := NewRequest().ProtoReflect()
	for i := range m.Descriptor().Fields().Len() {
		if f := m.Descriptor().Fields().Get(i); !m.Has(f) {
			t.Errorf("%s is not set", f.Name())
		}
	}
}

func TestCheck(t *testing.T) {
	answered := func(change func(*Message)) *Message {
		m := NewRequest()
		m.Tag(7)
		m.Answer()
		change(m)
		return m
	}
	for _, c := range []struct {
		name, want string
		change     func(*Message)
	}{
		{"good", "", func(*Message) {}},
		{"untouched", "did not answer", func(m *Message) { m.Text1 = text }},
		{"half touched", "did not answer", func(m *Message) { m.Num2 = num }},
		{"other call", "another call", func(m *Message) { m.Tag(8) }},
		{"text lost", "damaged", func(m *Message) { m.Text129 = "" }},
		{"end lost", "damaged", func(m *Message) { m.Num280 = 0 }},
	} {
		err := answered(c.change).Check(7)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	var empty Message
	if empty.Check(0) == nil {
		t.Error("an empty reply passed")
	}
}

// The plain struct has the fields and tags of the generated one.
func TestPlainIsTheSame(t *testing.T) {
	p, m := NewPlain(), NewRequest()
	p.Tag(5)
	m.Tag(5)
	w, g := reflect.TypeFor[Plain](), reflect.TypeFor[Message]()
	for i := range w.NumField() {
		plain := w.Field(i)
		gen, ok := g.FieldByName(plain.Name)
		if !ok || gen.Type != plain.Type || !strings.HasPrefix(gen.Tag.Get("protobuf"), plain.Tag.Get("protobuf")) {
			t.Errorf("%s is %v with %s, generated: %v with %s", plain.Name, plain.Type, plain.Tag, gen.Type, gen.Tag)
		}
		if a, b := reflect.ValueOf(p).Elem().Field(i), reflect.ValueOf(m).Elem().FieldByName(plain.Name); !reflect.DeepEqual(a.Interface(), b.Interface()) {
			t.Errorf("%s is %v, generated: %v", plain.Name, a, b)
		}
	}
	p.Answer()
	if err := p.Check(5); err != nil {
		t.Error(err)
	}
	if p.Check(6) == nil {
		t.Error("a reply with another tag passed")
	}
}

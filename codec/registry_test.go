package codec

import (
	"fmt"
	"strings"
	"testing"
)

// named is a codec that differs in id and name only.
type named struct {
	JSONCodec
	id   byte
	name string
}

func (n named) ID() byte     { return n.id }
func (n named) Name() string { return n.name }

// uncomparable cannot be compared with ==.
type uncomparable struct {
	JSONCodec
	_ []int
}

func (uncomparable) ID() byte     { return 'u' }
func (uncomparable) Name() string { return "uncomparable" }

func TestBuiltins(t *testing.T) {
	tests := []struct {
		id   byte
		name string
		want Codec
	}{
		{'j', "json", JSONCodec{}},
		{'f', "form", FormCodec{}},
		{'s', "plain", PlainCodec{}},
		{'x', "xml", XMLCodec{}},
		{'p', "protobuf", ProtobufCodec{}},
	}
	for _, tt := range tests {
		if c, err := Get(tt.id); c != tt.want || err != nil {
			t.Errorf("Get(%q) = %v, %v, want %T", tt.id, c, err, tt.want)
		}
		if c, err := GetByName(tt.name); c != tt.want || err != nil {
			t.Errorf("GetByName(%q) = %v, %v, want %T", tt.name, c, err, tt.want)
		}
	}
}

func TestUnsupported(t *testing.T) {
	for id, want := range map[byte]string{
		90: "unsupported codec id: 90", 0: "unsupported codec id: 0", 't': "unsupported codec id: 116", 255: "unsupported codec id: 255",
	} {
		c, err := Get(id)
		if e, ok := err.(*UnsupportedError); c != nil || !ok || e.ID != id || err.Error() != want {
			t.Errorf("Get(%d) = %v, %v, want %q", id, c, err, want)
		}
	}
	for _, name := range []string{"", "JSON", "thrift"} {
		c, err := GetByName(name)
		if c != nil || err == nil || err.Error() != "unsupported codec name: "+name {
			t.Errorf("GetByName(%q) = %v, %v", name, c, err)
		}
	}
}

// panicText returns what f panics with, or "".
func panicText(f func()) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprint(p)
		}
	}()
	f()
	return ""
}

func TestRegRefuses(t *testing.T) {
	tests := map[string]struct {
		c    Codec
		want string
	}{
		"nil":          {nil, "nil codec"},
		"nil pointer":  {(*named)(nil), "nil codec"},
		"id 0":         {named{name: "zero"}, "id 0 means no codec"},
		"no name":      {named{id: 'n'}, "the name is empty"},
		"id taken":     {named{id: 'j', name: "other"}, "id 106 is taken by codec.JSONCodec"},
		"name taken":   {named{id: 'n', name: "json"}, `name "json" is taken by codec.JSONCodec`},
		"other value":  {&JSONCodec{}, "id 106 is taken"},
		"uncomparable": {uncomparable{}, "id 117 is taken by codec.uncomparable"},
	}
	r := newTable(JSONCodec{}, uncomparable{})
	for name, tt := range tests {
		if got := panicText(func() { r.add(tt.c) }); !strings.Contains(got, tt.want) {
			t.Errorf("%s: panic %q, want %q", name, got, tt.want)
		}
	}
	if n := count(r); n != 2 {
		t.Errorf("%d codecs after refused registrations, want 2", n)
	}
}

func TestRegTwice(t *testing.T) {
	r := newTable()
	p := &named{id: 1, name: "pointer"}
	for range 2 {
		r.add(JSONCodec{})
		r.add(named{id: 2, name: "value"})
		r.add(p)
	}
	if c, _ := r.ByID(1); c != p || count(r) != 3 {
		t.Errorf("id 1 is %v, of %d codecs", c, count(r))
	}
}

func count(t *table) (n int) {
	for id := range 256 {
		if _, ok := t.ByID(byte(id)); ok {
			n++
		}
	}
	return n
}

func TestGetAllocatesNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Get(ID_JSON); err != nil {
			t.Fatal(err)
		}
		if _, err := GetByName(NAME_JSON); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Get allocates %v times, want 0", n)
	}
}

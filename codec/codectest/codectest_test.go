package codectest

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/test/wait"
)

func TestMain(m *testing.M) { wait.Main(m) }

// fake is a codec for []byte in which one part can be made wrong.
type fake struct {
	id      byte
	name    func() string
	enc     func(v any) ([]byte, error)
	dec     func(data []byte, v any) error
	appends func(dst []byte, v any) ([]byte, error)
}

func (f fake) ID() byte                                      { return f.id }
func (f fake) Name() string                                  { return f.name() }
func (f fake) Marshal(v any) ([]byte, error)                 { return f.enc(v) }
func (f fake) Unmarshal(data []byte, v any) error            { return f.dec(data, v) }
func (f fake) MarshalAppend(b []byte, v any) ([]byte, error) { return f.appends(b, v) }

// good returns a fake that keeps the contract.
func good() fake {
	enc := func(v any) ([]byte, error) {
		if v, ok := v.(string); ok {
			return []byte("<" + v + ">"), nil
		}
		return nil, errors.New("no string")
	}
	return fake{
		id:   'z',
		name: func() string { return "fake" },
		enc:  enc,
		dec: func(data []byte, v any) error {
			p, ok := v.(*[]byte)
			if !ok || p == nil || len(data) < 2 || data[0] != '<' || data[len(data)-1] != '>' {
				return errors.New("bad")
			}
			*p = bytes.Clone(data[1 : len(data)-1])
			return nil
		},
		appends: func(dst []byte, v any) ([]byte, error) {
			b, err := enc(v)
			return append(dst, b...), err
		},
	}
}

func fakeCase() Case {
	return Case{
		Name: "text", Value: "text", New: func() any { return new([]byte) }, Want: []byte("text"),
		Golden: []byte("<text>"), Bad: [][]byte{nil, []byte("<"), []byte("text")},
	}
}

// problems returns everything that Run would report.
func problems(c codec.Codec, cs Case) string {
	var b strings.Builder
	add := func(err error) {
		if err != nil {
			b.WriteString(err.Error() + "\n")
		}
	}
	add(checkIdentity(c))
	for _, ck := range checks {
		add(ck.check(c, cs))
	}
	return b.String()
}

func TestRunPassesGoodCodecs(t *testing.T) {
	Run(t, good(), []Case{fakeCase()})
	Run(t, codec.JSONCodec{}, []Case{{
		Name: "raw", Value: json.RawMessage(`{"a":[1,2]}`), New: func() any { return new(json.RawMessage) },
	}})
}

// TestFindsWrongCodecs gives each check a codec with the fault that it must find.
func TestFindsWrongCodecs(t *testing.T) {
	shared := []byte("<text>")
	calls := 0
	tests := map[string]struct {
		spoil func(f *fake)
		want  string
	}{
		"nil id":                {func(f *fake) { f.id = 0 }, "means no codec"},
		"no name":               {func(f *fake) { f.name = func() string { return "" } }, "name is empty"},
		"name changes":          {func(f *fake) { f.name = func() string { calls++; return strings.Repeat("n", calls) } }, "name changed"},
		"wrong bytes":           {func(f *fake) { f.enc = func(any) ([]byte, error) { return []byte("<tex>"), nil } }, "want \"<text>\""},
		"marshal fails":         {func(f *fake) { f.enc = func(any) ([]byte, error) { return nil, errors.New("not today") } }, "not today"},
		"marshal panics":        {func(f *fake) { f.enc = func(any) ([]byte, error) { panic("boom") } }, "panic: boom"},
		"buffer is the codec's": {func(f *fake) { f.enc = func(any) ([]byte, error) { return shared, nil } }, "returned a buffer that is part"},
		"value refers to data": {func(f *fake) {
			f.dec = func(data []byte, v any) error { *v.(*[]byte) = data[1 : len(data)-1]; return nil }
		}, "changed with the buffer"},
		"data is modified": {func(f *fake) {
			dec := f.dec
			f.dec = func(data []byte, v any) error { err := dec(data, v); clear(data); return err }
		}, "unmarshal changed its data"},
		"wrong value": {func(f *fake) {
			f.dec = func(_ []byte, v any) error { *v.(*[]byte) = []byte("other"); return nil }
		}, "want [116 101 120 116]"},
		"append replaces": {func(f *fake) { f.appends = func(_ []byte, v any) ([]byte, error) { return f.enc(v) } }, "changed what stood"},
		"append differs": {func(f *fake) {
			f.appends = func(dst []byte, _ any) ([]byte, error) { return append(dst, "<texts>"...), nil }
		}, "append wrote"},
		"takes garbage": {func(f *fake) {
			dec := f.dec
			f.dec = func(data []byte, v any) error {
				if p := v.(*[]byte); p != nil && dec(data, v) != nil {
					*p = nil
				}
				return nil
			}
		}, "gave no error"},
		"panics on garbage": {func(f *fake) {
			f.dec = func(data []byte, v any) error { *v.(*[]byte) = bytes.Clone(data[1 : len(data)-1]); return nil }
		}, "panic: runtime error"},
		"takes nil pointers": {func(f *fake) {
			dec := f.dec
			f.dec = func(data []byte, v any) error {
				if p, ok := v.(*[]byte); ok && p == nil {
					return nil
				}
				return dec(data, v)
			}
		}, "into a nil *[]uint8 gave no error"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := good()
			tt.spoil(&f)
			if got := problems(f, fakeCase()); !strings.Contains(got, tt.want) {
				t.Errorf("problems:\n%swant one with %q", got, tt.want)
			}
		})
	}
}

// A fakeZero is a fake with a wrong UnmarshalZero.
type fakeZero struct{ fake }

func (fakeZero) UnmarshalZero([]byte, any) error { return nil }

func TestFindsWrongUnmarshalZero(t *testing.T) {
	if got := problems(fakeZero{good()}, fakeCase()); !strings.Contains(got, "UnmarshalZero decoded") {
		t.Errorf("problems:\n%s", got)
	}
}

func TestUnorderedCases(t *testing.T) {
	flip := false
	f := good()
	f.enc = func(v any) ([]byte, error) {
		if _, ok := v.(string); !ok {
			return nil, errors.New("no string")
		}
		if flip = !flip; flip {
			return []byte("<ab>"), nil
		}
		return []byte("<ba>"), nil
	}
	cs := Case{Name: "set", Value: "ab", New: func() any { return new([]byte) }, Want: []byte("ab"),
		Equal: func(got, want any) bool { return len(*got.(*[]byte)) == len(want.([]byte)) }}
	if err := checkRoundTrip(f, cs); err == nil || !strings.Contains(err.Error(), "Unordered") {
		t.Errorf("without Unordered: %v, want a hint at it", err)
	}
	cs.Unordered = true
	if err := checkRoundTrip(f, cs); err != nil {
		t.Errorf("with Unordered: %v", err)
	}
}

package codec_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/goerpc/erpc/codec"
)

// onlyMarshal hides the MarshalAppend of a codec.
type onlyMarshal struct{ codec.Codec }

func TestAppend(t *testing.T) {
	tests := []struct {
		name string
		c    codec.Codec
		v    any
		want string // "" is an error
	}{
		{"appender", codec.JSONCodec{}, "v", `<"v"`},
		{"no appender", onlyMarshal{codec.JSONCodec{}}, "v", `<"v"`},
		{"nothing", codec.ProtobufCodec{}, nil, "<"},
		{"appender fails", codec.JSONCodec{}, make(chan int), ""},
		{"no appender fails", onlyMarshal{codec.JSONCodec{}}, make(chan int), ""},
		{"protobuf fails", codec.ProtobufCodec{}, wrapperspb.String("\xff"), ""},
		{"form fails", codec.FormCodec{}, map[string]any{"a": 1, "b": map[string]int{}}, ""},
		{"plain fails", codec.PlainCodec{}, 1i, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dst := append(make([]byte, 0, 64), '<')
			got, err := codec.Append(dst, tt.c, tt.v)
			if tt.want == "" {
				if err == nil || string(got) != "<" {
					t.Errorf("Append = %q, %v, want an error and the buffer as it was", got, err)
				}
			} else if err != nil || string(got) != tt.want {
				t.Errorf("Append = %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// grumpy fails or panics while it is encoded.
type grumpy struct{ panics bool }

func (g grumpy) MarshalJSON() ([]byte, error) {
	if g.panics {
		panic("grumpy")
	}
	return nil, errors.New("grumpy")
}

// TestJSONAfterFailure: encoders are pooled, and a failure must not affect the
// next use.
func TestJSONAfterFailure(t *testing.T) {
	var c codec.JSONCodec
	for range 100 {
		if _, err := c.MarshalAppend(nil, grumpy{}); err == nil || !strings.Contains(err.Error(), "grumpy") {
			t.Fatalf("error = %v, want grumpy's", err)
		}
		func() {
			defer func() { _ = recover() }() // the panic is expected
			_, _ = c.MarshalAppend(nil, grumpy{panics: true})
			t.Error("no panic")
		}()
		got, err := c.MarshalAppend([]byte("-"), []any{1, "<", json.RawMessage("{}")})
		if want := `-[1,"\u003c",{}]`; string(got) != want || err != nil {
			t.Fatalf("MarshalAppend = %s, %v, want %s", got, err, want)
		}
	}
}

func TestTypeErrors(t *testing.T) {
	tests := []struct {
		name string
		err  func() error
		want []string
	}{
		{"protobuf marshal", func() error { _, err := codec.ProtobufCodec{}.Marshal(F{}); return err },
			[]string{"codec: protobuf", "codec_test.F", "proto.Message"}},
		{"protobuf unmarshal", func() error { return codec.ProtobufCodec{}.Unmarshal(nil, new(int)) },
			[]string{"codec: protobuf", "*int", "another codec"}},
		{"protobuf nil", func() error { return codec.ProtobufCodec{}.Unmarshal(nil, (*wrapperspb.BoolValue)(nil)) },
			[]string{"*wrapperspb.BoolValue", "nil"}},
		{"plain marshal", func() error { _, err := codec.PlainCodec{}.Marshal(F{}); return err }, []string{"codec: plain", "codec_test.F"}},
		{"plain unmarshal", func() error { return codec.PlainCodec{}.Unmarshal([]byte("x"), new(F)) }, []string{"codec: plain", "*codec_test.F"}},
		{"plain value", func() error { return codec.PlainCodec{}.Unmarshal([]byte("1"), 1) }, []string{"int", "pointer"}},
		{"plain any", func() error { return codec.PlainCodec{}.Unmarshal([]byte("1"), new(any)) }, []string{"*interface {}"}},
		{"form marshal", func() error { _, err := codec.FormCodec{}.Marshal(3); return err }, []string{"codec: form", "int", "struct"}},
		{"form unmarshal", func() error { return codec.FormCodec{}.Unmarshal(nil, new(int)) }, []string{"codec: form", "*int"}},
		{"form value", func() error { return codec.FormCodec{}.Unmarshal(nil, F{}) }, []string{"codec_test.F", "pointer"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.err()
			var te *codec.TypeError
			if !errors.As(err, &te) {
				t.Fatalf("error = %v, want a TypeError", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestPlainTargets(t *testing.T) {
	var c codec.PlainCodec
	buf := []byte("----")
	if err := c.Unmarshal([]byte("ab"), buf); err != nil || string(buf) != "ab--" {
		t.Errorf("into a longer []byte: %q, %v", buf, err)
	}
	if err := c.Unmarshal([]byte("abcde"), buf); err == nil || string(buf) != "ab--" {
		t.Errorf("into a shorter []byte: %q, %v, want an error", buf, err)
	}
	if err := c.Unmarshal([]byte("x"), nil); err != nil {
		t.Errorf("into nil: %v", err)
	}
	var p **int
	if err := c.Unmarshal([]byte("12"), &p); err != nil || **p != 12 {
		t.Errorf("into nil pointers: %v, %v", p, err)
	}
	store := make([]byte, 0, 8)
	got := store
	if err := c.Unmarshal([]byte("abc"), &got); err != nil || string(store[:3]) != "abc" {
		t.Errorf("storage is not reused: %q, %v", store[:3], err)
	}
}

// TestErrorsAreShort: an error goes back to the sender, so it must not contain the
// whole bad text.
func TestErrorsAreShort(t *testing.T) {
	long := strings.Repeat("9", 100_000)
	var at struct {
		At formAll
	}
	for name, err := range map[string]error{
		"plain":      codec.PlainCodec{}.Unmarshal([]byte(long), new(int)),
		"form":       codec.FormCodec{}.Unmarshal([]byte("i="+long), &at),
		"form time":  codec.FormCodec{}.Unmarshal([]byte("at="+long), &at),
		"form key":   codec.FormCodec{}.Unmarshal([]byte(long+"=x"), new(map[string]int)),
		"form quote": codec.FormCodec{}.Unmarshal([]byte(long+"%q"+long), &at),
	} {
		if err == nil || len(err.Error()) > 300 {
			t.Errorf("%s: error = %.400v, want a short one", name, err)
		}
	}
}

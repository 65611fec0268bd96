package codec_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/goerpc/erpc/codec"
)

// Run with: go test -run '^$' -bench . -benchmem ./codec

func benchmarkCodec(b *testing.B, c codec.Codec, v any, newV func() any) {
	data, err := c.Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("marshal", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := c.Marshal(v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		buf := make([]byte, 0, 2*len(data))
		for b.Loop() {
			if _, err := codec.Append(buf, c, v); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unmarshal", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if err := c.Unmarshal(data, newV()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

var benchF = &F{A: 12345, B: strings.Repeat("text ", 80), L: []string{"p", "q", "r", "s"}}

func BenchmarkJSON(b *testing.B) {
	benchmarkCodec(b, codec.JSONCodec{}, benchF, into[F]())
}

func BenchmarkForm(b *testing.B) {
	benchmarkCodec(b, codec.FormCodec{}, benchF, into[F]())
}

func BenchmarkProtobuf(b *testing.B) {
	benchmarkCodec(b, codec.ProtobufCodec{}, wrapperspb.String(strings.Repeat("text ", 100)), into[wrapperspb.StringValue]())
}

func BenchmarkGet(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := codec.Get(codec.ID_PROTOBUF); err != nil {
			b.Fatal(err)
		}
	}
}

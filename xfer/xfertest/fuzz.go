package xfertest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/goerpc/erpc/xfer"
)

// A Limited is a filter whose output can be limited.
type Limited interface {
	xfer.XferFilter
	xfer.LimitedUnpacker
}

// Fuzz unpacks inputs of the fuzzer: the output must not exceed the limit, and
// must survive packing and unpacking.
func Fuzz(f *testing.F, filter Limited, seeds ...[]byte) {
	f.Helper()
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		plain, err := filter.OnUnpackLimit(b, hostileLimit)
		if err != nil {
			return
		}
		if len(plain) > hostileLimit {
			t.Fatalf("%d bytes despite the limit", len(plain))
		}
		packed, err := filter.OnPack(plain)
		if err != nil {
			t.Fatal(err)
		}
		again, err := filter.OnUnpackLimit(packed, hostileLimit)
		if err != nil || !bytes.Equal(again, plain) {
			t.Fatalf("round trip: %d bytes became %d, %v", len(plain), len(again), err)
		}
	})
}

// Benchmark packs and unpacks texts of 512 bytes and of 64 KiB.
func Benchmark(b *testing.B, filter Limited) {
	for _, n := range []int{512, 64 << 10} {
		plain := Text(n)
		packed, err := filter.OnPack(plain)
		if err != nil {
			b.Fatal(err)
		}
		measure(b, fmt.Sprintf("pack/%d", n), n, func() ([]byte, error) { return filter.OnPack(plain) })
		measure(b, fmt.Sprintf("unpack/%d", n), n, func() ([]byte, error) { return filter.OnUnpackLimit(packed, n) })
	}
}

func measure(b *testing.B, name string, n int, f func() ([]byte, error)) {
	b.Run(name, func(b *testing.B) {
		b.SetBytes(int64(n))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := f(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Text returns n bytes that compress about as messages of programs do.
func Text(n int) []byte {
	var b []byte
	for i := 0; len(b) < n; i++ {
		b = fmt.Appendf(b, `{"id":%d,"name":"peer"},`, i*i)
	}
	return b[:n]
}

package md5_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"sync"
	"testing"

	"github.com/goerpc/erpc/xfer"
	"github.com/goerpc/erpc/xfer/md5"
	"github.com/goerpc/erpc/xfer/xfertest"
)

func TestConformance(t *testing.T) { xfertest.Run(t, md5.New('m', "md5")) }

// TestGolden compares with what erpc v7 sent (wire/golden.json, raw/md5, both
// directions).
func TestGolden(t *testing.T) {
	f := md5.New('m', "md5")
	for _, v := range []struct{ plain, sum string }{
		{"016201092f6d6174682f6164640006636f64653d3000006a5b312c322c335d", "a63f233af853ee9b17fa56def887314c"},
		{"016202000006636f64653d3000006a36", "6b7a165e3004b1a0c15f0367c591b2c2"},
		{"", "d41d8cd98f00b204e9800998ecf8427e"}, // RFC 1321, A.5
	} {
		plain, err := hex.DecodeString(v.plain)
		if err != nil {
			t.Fatal(err)
		}
		packed, err := f.OnPack(plain)
		if err != nil || hex.EncodeToString(packed) != v.plain+v.sum {
			t.Errorf("OnPack: got %x, %v; want %s%s", packed, err, v.plain, v.sum)
		}
		got, err := f.OnUnpack(packed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("OnUnpack: got %x, %v; want %s", got, err, v.plain)
		}
	}
}

func TestMismatch(t *testing.T) {
	f := md5.New('m', "md5")
	good, err := f.OnPack([]byte("data"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(good) {
		if _, err := f.OnUnpack(good[:n]); !errors.Is(err, md5.ErrMismatch) {
			t.Errorf("first %d bytes: got %v, want ErrMismatch", n, err)
		}
	}
	for i := range len(good) * 8 {
		b := bytes.Clone(good)
		b[i/8] ^= 1 << (i % 8)
		if _, err := f.OnUnpack(b); !errors.Is(err, md5.ErrMismatch) {
			t.Errorf("bit %d changed: got %v, want ErrMismatch", i, err)
		}
	}
}

// TestResultKeepsItsSum: appending to the result must not overwrite the bytes
// behind it.
func TestResultKeepsItsSum(t *testing.T) {
	f := md5.New('m', "md5")
	packed, err := f.OnPack([]byte("data"))
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(packed)
	got, err := f.OnUnpack(packed)
	if err != nil {
		t.Fatal(err)
	}
	if got = append(got, "more"...); string(got) != "datamore" {
		t.Errorf("got %q", got)
	}
	if !bytes.Equal(packed, before) {
		t.Error("append to the result changed the packed bytes")
	}
}

// register makes -count work: registering a second filter with the same id panics.
var register = sync.OnceFunc(func() { md5.Reg('m', "md5") })

func TestReg(t *testing.T) {
	register()
	f, err := xfer.Get('m')
	if err != nil || f.Name() != "md5" {
		t.Fatalf("got %v, %v", f, err)
	}
}

func FuzzUnpack(f *testing.F) {
	filter := md5.New('m', "md5")
	f.Add([]byte{})
	f.Add([]byte("dataaaaaaaaaaaaaaaaaaaaaaa"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if plain, err := filter.OnUnpack(b); err == nil {
			packed, err := filter.OnPack(plain)
			if err != nil || !bytes.Equal(packed, b) {
				t.Fatalf("%x unpacks, but packs to %x, %v", b, packed, err)
			}
		}
		packed, err := filter.OnPack(b)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := filter.OnUnpack(packed); err != nil || !bytes.Equal(plain, b) {
			t.Fatalf("round trip of %x: %x, %v", b, plain, err)
		}
	})
}

func BenchmarkRoundTrip(b *testing.B) {
	f := md5.New('m', "md5")
	data := make([]byte, 512)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		packed, err := f.OnPack(data)
		if err != nil {
			b.Fatal(err)
		}
		if _, err = f.OnUnpack(packed); err != nil {
			b.Fatal(err)
		}
	}
}

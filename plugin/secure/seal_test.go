package secure

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"
)

// sealedBodies are "[1,2,3]" with "bound" as additional data. Later versions must
// open what this one has sealed.
var sealedBodies = map[string]string{
	XChaCha20: "0201026b310000019ab697e87bad9de404f9c3f9ee2b029c64df8f1bea0ac804a0559e4c0630e76be2d3302d28252bd43606a5da6480e1a03d66a5e1",
	AESGCM:    "0202026b310000019ab697e87bc626ca28af0f0f62fb76b8466deced5a6f6b266e696fa97f814c2bbd97b853a7824385",
}

var sealedAt = time.UnixMilli(1_764_000_000_123)

func testKeys(tb testing.TB, cipher string) *keys {
	tb.Helper()
	k, err := newKeys([]Key{{ID: "k1", Key: "the first key of 32 random bytes"}}, cipher)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func TestGoldenBodies(t *testing.T) {
	for cipher, text := range sealedBodies {
		body, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		k := testKeys(t, cipher)
		o, err := k.open(body, []byte("bound"))
		if err != nil || string(o.plain) != "[1,2,3]" || !o.sealed.Equal(sealedAt) {
			t.Errorf("%s: %q of %v, %v", cipher, o.plain, o.sealed, err)
		}
		if again, _ := k.seal(o.plain, []byte("bound"), sealedAt, false); len(again) != len(body) || !bytes.Equal(again[:13], body[:13]) || bytes.Contains(again, o.nonce) {
			t.Errorf("%s: sealed as %x, want like %x with another nonce", cipher, again, body)
		}
		if _, err := k.open(body, []byte("other")); err == nil {
			t.Errorf("%s: other additional data opens it, too", cipher)
		}
	}
}

// FuzzOpen: whatever opens was sealed by somebody with the key; everything else is
// refused, and nothing breaks.
func FuzzOpen(f *testing.F) {
	for _, text := range sealedBodies {
		body, err := hex.DecodeString(text)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
		for n := range body {
			f.Add(body[:n])
		}
	}
	f.Add([]byte("e1.AgECazE"))
	k := testKeys(f, XChaCha20)
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		if o, err := k.open(body, []byte("bound")); err == nil && string(o.plain) != "[1,2,3]" {
			t.Errorf("opened as %q", o.plain)
		}
		if !bytes.Equal(body, before) {
			t.Error("open has changed its input")
		}
	})
}

// FuzzWeak: v7's envelope and its padding come from strangers.
func FuzzWeak(f *testing.F) {
	w := NewWeakV7Plugin(1, "cipherkey1234567")
	for _, plain := range []string{"", "[1,2,3]", "0123456789abcdef"} {
		body, err := marshalEnvelope('p', &Encrypt{w.version, hex.EncodeToString(w.ecb([]byte(plain)))})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Add([]byte{0x0a, 0xff})
	f.Fuzz(func(t *testing.T, body []byte) {
		var e Encrypt
		if err := unmarshalEnvelope('p', body, &e); err != nil {
			return
		}
		plain, err := w.unecb(e.Ciphertext)
		if err != nil {
			return
		}
		if again, err := w.unecb(hex.EncodeToString(w.ecb(plain))); err != nil || !bytes.Equal(again, plain) {
			t.Errorf("%q comes back as %q, %v", plain, again, err)
		}
	})
}

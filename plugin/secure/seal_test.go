package secure

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// sealedBodies are "[1,2,3]" with "bound" beside it, so that a later version
// opens what this one has sealed.
var sealedBodies = map[string]string{
	XChaCha20: "0101026b31a8b88b9367ce2eb55859133c88aad1491c0328de66c7578dbd92f7005e0028774cf773df08ff52922726e4081a36ed",
	AESGCM:    "0102026b3137eb7fd6330cab7338316a9d4a2db22bb2168e67448ec1556c921874f8d3a92063a4f1",
}

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
		plain, nonce, err := k.open(body, []byte("bound"))
		if err != nil || string(plain) != "[1,2,3]" {
			t.Errorf("%s: %q, %v", cipher, plain, err)
		}
		if again, _ := k.seal(plain, []byte("bound"), false); len(again) != len(body) || !bytes.Equal(again[:5], body[:5]) || bytes.Contains(again, nonce) {
			t.Errorf("%s: sealed as %x, want like %x with another nonce", cipher, again, body)
		}
		if _, _, err := k.open(body, []byte("other")); err == nil {
			t.Errorf("%s: what is bound does not matter", cipher)
		}
	}
}

// FuzzOpen: whatever is opened was sealed by somebody with the key, or is
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
	f.Add([]byte("e1.AQECazE"))
	k := testKeys(f, XChaCha20)
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		if plain, _, err := k.open(body, []byte("bound")); err == nil && string(plain) != "[1,2,3]" {
			t.Errorf("opened as %q", plain)
		}
		if !bytes.Equal(body, before) {
			t.Error("open has changed what it was given")
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

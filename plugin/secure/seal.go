package secure

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	version      = 2
	cipherXCha   = 1
	cipherGCM    = 2
	textPrefix   = "e1."
	headLen      = 3  // bytes before the key's ID
	timeLen      = 8  // bytes after the ID: when the message was sealed, in milliseconds since 1970
	derivedBytes = 32 // length of a derived key
)

var errOpen = errors.New("secure: the message is not authentic, or was sealed with another key")

// keys seals and opens messages. It is immutable.
type keys struct {
	first string
	use   byte // the cipher that seals
	all   map[string][2]cipher.AEAD
}

func newKeys(list []Key, cipherName string) (*keys, error) {
	k := &keys{first: list[0].ID, use: cipherXCha, all: make(map[string][2]cipher.AEAD, len(list))}
	if cipherName == AESGCM {
		k.use = cipherGCM
	}
	for _, key := range list {
		pair, err := aeads(key)
		if err != nil {
			return nil, fmt.Errorf("secure: key %q: %w", key.ID, err)
		}
		k.all[key.ID] = pair
	}
	return k, nil
}

// aeads derives one key for each cipher, so that the ciphers never share a key.
func aeads(key Key) (pair [2]cipher.AEAD, err error) {
	derive := func(name string) ([]byte, error) {
		return hkdf.Key(sha256.New, []byte(key.Key), nil, "erpc secure 2 "+name, derivedBytes)
	}
	sub, err := derive(XChaCha20)
	if err != nil {
		return pair, err
	}
	pair[0], err = chacha20poly1305.NewX(sub)
	if err != nil {
		return pair, err
	}
	sub, err = derive(AESGCM)
	if err != nil {
		return pair, err
	}
	block, err := aes.NewCipher(sub)
	if err != nil {
		return pair, err
	}
	pair[1], err = cipher.NewGCM(block)
	return pair, err
}

// seal returns the body to send in place of plain, and its nonce.
func (k *keys) seal(plain, bound []byte, at time.Time, text bool) (body, nonce []byte) {
	aead := k.all[k.first][k.use-1]
	start := headLen + len(k.first) + timeLen
	size := start + aead.NonceSize()
	body = make([]byte, size, size+len(plain)+aead.Overhead())
	body[0], body[1], body[2] = version, k.use, byte(len(k.first))
	copy(body[headLen:], k.first)
	binary.BigEndian.PutUint64(body[start-timeLen:], uint64(at.UnixMilli()))
	nonce = body[start:]
	_, _ = rand.Read(nonce) // it never fails
	body = aead.Seal(body, nonce, plain, withHead(body, bound))
	if text {
		body = base64.RawURLEncoding.AppendEncode([]byte(textPrefix), body)
	}
	return body, nonce
}

// An opened is the result of open.
type opened struct {
	plain, nonce []byte
	sealed       time.Time
}

// open is the inverse of seal. It does not modify body.
func (k *keys) open(body, bound []byte) (o opened, err error) {
	if len(body) > len(textPrefix) && string(body[:len(textPrefix)]) == textPrefix {
		body, err = base64.RawURLEncoding.AppendDecode(nil, body[len(textPrefix):])
		if err != nil {
			return o, errOpen
		}
	}
	if len(body) < headLen || body[0] != version || body[1] < cipherXCha || body[1] > cipherGCM {
		return o, errOpen
	}
	end := headLen + int(body[2])
	if len(body) < end {
		return o, errOpen
	}
	pair, ok := k.all[string(body[headLen:end])]
	if !ok {
		return o, errOpen
	}
	aead := pair[body[1]-1]
	if len(body) < end+timeLen+aead.NonceSize() {
		return o, errOpen
	}
	o.sealed = time.UnixMilli(int64(binary.BigEndian.Uint64(body[end:])))
	end += timeLen
	o.nonce = body[end : end+aead.NonceSize()]
	end += len(o.nonce)
	o.plain, err = aead.Open(nil, o.nonce, body[end:], withHead(body[:end], bound))
	if err != nil {
		return opened{}, errOpen
	}
	return o, nil
}

// withHead returns the additional data: the bytes before the ciphertext, and
// bound.
func withHead(head, bound []byte) []byte {
	return append(append(make([]byte, 0, len(head)+len(bound)), head...), bound...)
}

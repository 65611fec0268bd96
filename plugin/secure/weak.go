package secure

import (
	"bytes"
	"crypto/aes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
)

// A WeakV7 is erpc v7's plugin, for compatibility with v7. Its scheme is weak:
// equal blocks of a body have equal ciphertexts (AES in ECB mode), an attacker
// can exchange blocks and replay messages undetected (there is no
// authentication), and each message contains a hash of the key. Do not use it
// between peers of this version.
type WeakV7 struct {
	key     []byte
	version string // the hash of the key
	code    int32
	mistake error
}

// NewWeakV7Plugin returns the plugin that speaks v7's scheme. The key must have
// 16, 24 or 32 bytes; with any other length, making a peer or registering a
// handler with the plugin fails.
func NewWeakV7Plugin(statCode int32, cipherkey string) *WeakV7 {
	sum := md5.Sum([]byte(cipherkey))
	w := &WeakV7{key: []byte(cipherkey), version: hex.EncodeToString(sum[:]), code: statCode}
	if _, err := aes.NewCipher(w.key); err != nil {
		w.mistake = fmt.Errorf("secure: %w; use 16, 24 or 32 bytes", err)
	}
	return w
}

var (
	_ erpc.PreNewPeerPlugin       = (*WeakV7)(nil)
	_ erpc.PostRegPlugin          = (*WeakV7)(nil)
	_ erpc.PreWriteCallPlugin     = (*WeakV7)(nil)
	_ erpc.PreWritePushPlugin     = (*WeakV7)(nil)
	_ erpc.PreWriteReplyPlugin    = (*WeakV7)(nil)
	_ erpc.PreReadCallBodyPlugin  = (*WeakV7)(nil)
	_ erpc.PreReadPushBodyPlugin  = (*WeakV7)(nil)
	_ erpc.PreReadReplyBodyPlugin = (*WeakV7)(nil)
)

// Name returns the name of the plugin.
func (*WeakV7) Name() string { return "secure(encrypt/decrypt)" }

// PreNewPeer returns the error in the key, if any.
func (w *WeakV7) PreNewPeer(*erpc.PeerConfig, *erpc.PluginContainer) error { return w.mistake }

// PostReg returns the error in the key, if any.
func (w *WeakV7) PostReg(*erpc.Handler) error { return w.mistake }

type weakReply struct{ w *WeakV7 } // set in the swap if the reply must be encrypted

// errWeakStream is the cause of refusing a stream whose messages would not be
// encrypted.
var errWeakStream = errors.New("secure: v7's encryption does not support streams; use secure.New on both sides")

// PreWriteCall encrypts a call that asks for it, and refuses a stream that does.
func (w *WeakV7) PreWriteCall(ctx erpc.WriteCtx) *erpc.Status {
	if !isSecure(ctx.Output()) {
		return nil
	}
	if ctx.Output().Mtype() == erpc.TypeStreamOpen {
		return erpc.NewStatus(w.code, "stream not opened", errWeakStream)
	}
	return w.encrypt(ctx.Output())
}

// PreWritePush encrypts a push that asks for it.
func (w *WeakV7) PreWritePush(ctx erpc.WriteCtx) *erpc.Status { return w.PreWriteCall(ctx) }

// PreWriteReply encrypts a reply if the caller or the handler asked for that.
func (w *WeakV7) PreWriteReply(ctx erpc.WriteCtx) *erpc.Status {
	_, wanted := ctx.Swap().Load(weakReply{w})
	if !ctx.StatusOK() || !wanted && !isSecure(ctx.Output()) {
		return nil
	}
	return w.encrypt(ctx.Output())
}

// PreReadCallBody decrypts a call, and refuses a stream that was to be encrypted.
func (w *WeakV7) PreReadCallBody(ctx erpc.ReadCtx) *erpc.Status {
	m := ctx.Input()
	if m.Mtype() == erpc.TypeStreamOpen {
		if isSecure(m) || accepts(m) == "true" {
			return erpc.NewStatus(w.code, "stream not opened", errWeakStream)
		}
		return nil
	}
	if accepts(m) == "true" || isSecure(m) && accepts(m) != "false" {
		ctx.Swap().Store(weakReply{w}, true)
	}
	return w.decrypt(m)
}

// PreReadPushBody decrypts a push.
func (w *WeakV7) PreReadPushBody(ctx erpc.ReadCtx) *erpc.Status { return w.decrypt(ctx.Input()) }

// PreReadReplyBody decrypts a reply.
func (w *WeakV7) PreReadReplyBody(ctx erpc.ReadCtx) *erpc.Status {
	if !ctx.Input().StatusOK() {
		return nil
	}
	return w.decrypt(ctx.Input())
}

// Encrypt is what v7 sends in place of a body, encoded with the body's codec.
type Encrypt struct {
	Cipherversion string `json:"cipherversion,omitempty"`
	Ciphertext    string `json:"ciphertext,omitempty"`
}

func (w *WeakV7) encrypt(m erpc.Message) *erpc.Status {
	plain, err := m.MarshalBody()
	if err != nil {
		return erpc.NewStatus(w.code, "marshal raw body error", err)
	}
	body, err := marshalEnvelope(m.BodyCodec(), &Encrypt{w.version, hex.EncodeToString(w.ecb(plain))})
	if err != nil {
		return erpc.NewStatus(w.code, "marshal raw body error", err)
	}
	m.Meta().Set(SECURE_META_KEY, "true")
	m.SetBody(body)
	return nil
}

func (w *WeakV7) decrypt(m erpc.Message) *erpc.Status {
	if !isSecure(m) {
		return nil
	}
	var e Encrypt
	if err := unmarshalEnvelope(m.BodyCodec(), m.Raw(), &e); err != nil {
		return erpc.NewStatus(erpc.CodeBadMessage, erpc.CodeText(erpc.CodeBadMessage), err)
	}
	var plain []byte
	if e.Cipherversion != "" {
		if e.Cipherversion != w.version {
			return erpc.NewStatus(w.code, "decrypt ciphertext error",
				fmt.Sprintf("inconsistent encryption version, get:%q, want:%q", e.Cipherversion, w.version))
		}
		var err error
		plain, err = w.unecb(e.Ciphertext)
		if err != nil {
			return erpc.NewStatus(w.code, "decrypt ciphertext error", err)
		}
	}
	setRaw(m, plain)
	return nil
}

// ecb encrypts block by block, the last one padded with the length of the
// padding.
func (w *WeakV7) ecb(plain []byte) []byte {
	block, err := aes.NewCipher(w.key)
	if err != nil {
		panic(err) // the key was checked: no peer has the plugin with an invalid one
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	out := append(append(make([]byte, 0, len(plain)+pad), plain...), bytes.Repeat([]byte{byte(pad)}, pad)...)
	for b := out; len(b) > 0; b = b[aes.BlockSize:] {
		block.Encrypt(b, b)
	}
	return out
}

var errWeakText = errors.New("secure: the body is not a ciphertext of this key")

func (w *WeakV7) unecb(text string) ([]byte, error) {
	out, err := hex.DecodeString(text)
	if err != nil || len(out) == 0 || len(out)%aes.BlockSize != 0 {
		return nil, errWeakText
	}
	block, err := aes.NewCipher(w.key)
	if err != nil {
		return nil, w.mistake
	}
	for b := out; len(b) > 0; b = b[aes.BlockSize:] {
		block.Decrypt(b, b)
	}
	pad := int(out[len(out)-1])
	if pad == 0 || pad > aes.BlockSize || !bytes.Equal(out[len(out)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, errWeakText
	}
	return out[:len(out)-pad], nil
}

// marshalEnvelope encodes e as v7 does: as a protobuf message with two strings
// for the protobuf codec, and as the struct for other codecs.
func marshalEnvelope(id byte, e *Encrypt) ([]byte, error) {
	if id == codec.ID_PROTOBUF {
		b := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), e.Cipherversion)
		return protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), e.Ciphertext), nil
	}
	c, err := codec.Get(id)
	if err != nil {
		return nil, err
	}
	return c.Marshal(e)
}

func unmarshalEnvelope(id byte, b []byte, e *Encrypt) error {
	if id != codec.ID_PROTOBUF {
		c, err := codec.Get(id)
		if err != nil {
			return err
		}
		if len(b) == 0 {
			return nil
		}
		return c.Unmarshal(b, e)
	}
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if typ == protowire.BytesType && (num == 1 || num == 2) {
			v, n := protowire.ConsumeBytes(b)
			if n < 0 {
				return protowire.ParseError(n)
			}
			b = b[n:]
			if num == 1 {
				e.Cipherversion = string(v)
			} else {
				e.Ciphertext = string(v)
			}
			continue
		}
		n = protowire.ConsumeFieldValue(num, typ, b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
	}
	return nil
}

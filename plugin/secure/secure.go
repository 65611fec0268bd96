package secure

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/internal/lograte"
)

// Secure is the plugin. All methods may be called concurrently. It may serve
// several peers, and be given to single routes of a server.
type Secure struct {
	cfg     Config // without the keys
	keys    atomic.Pointer[keys]
	replays replays
	refused lograte.Limiter
	mistake error
}

// NewPlugin returns the plugin with one key, of 16 bytes or more. Messages that
// can't be opened get a status with the code statCode. If the key is too short,
// making a peer or registering a handler with the plugin fails. The function
// has the name and the arguments of erpc v7's, but not its scheme: see
// [NewWeakV7Plugin].
func NewPlugin(statCode int32, cipherkey string) *Secure {
	return New(Config{Keys: []Key{{ID: "default", Key: cipherkey}}, StatusCode: statCode})
}

// New returns the plugin. If the configuration is invalid, making a peer or
// registering a handler with the plugin fails.
func New(cfg Config) *Secure {
	if cfg.StatusCode == 0 {
		cfg.StatusCode = erpc.CodeBadMessage
	}
	s := &Secure{cfg: cfg}
	s.replays.maxAge = cfg.MaxAge
	s.mistake = s.SetKeys(cfg.Keys...)
	return s
}

// SetKeys replaces the keys; the first one seals.
func (s *Secure) SetKeys(list ...Key) error {
	cfg := s.cfg
	cfg.Keys = list
	if err := cfg.validate(); err != nil {
		return err
	}
	k, err := newKeys(list, cfg.Cipher)
	if err == nil {
		s.keys.Store(k)
	}
	return err
}

var (
	_ erpc.PreNewPeerPlugin       = (*Secure)(nil)
	_ erpc.PostRegPlugin          = (*Secure)(nil)
	_ erpc.PreWriteCallPlugin     = (*Secure)(nil)
	_ erpc.PreWritePushPlugin     = (*Secure)(nil)
	_ erpc.PreWriteReplyPlugin    = (*Secure)(nil)
	_ erpc.PreReadCallBodyPlugin  = (*Secure)(nil)
	_ erpc.PreReadPushBodyPlugin  = (*Secure)(nil)
	_ erpc.PreReadReplyBodyPlugin = (*Secure)(nil)
	_ erpc.PreSendMessagePlugin   = (*Secure)(nil)
	_ erpc.PreRecvMessagePlugin   = (*Secure)(nil)
)

// Name returns the name of the plugin.
func (*Secure) Name() string { return "secure(encrypt/decrypt)" }

// PreNewPeer returns the error in the configuration, if any.
func (s *Secure) PreNewPeer(*erpc.PeerConfig, *erpc.PluginContainer) error { return s.mistake }

// PostReg returns the error in the configuration, if any.
func (s *Secure) PostReg(*erpc.Handler) error { return s.mistake }

// A swapKey is a key in the swap of an exchange, with which the hooks of a call
// pass values to those of its reply.
type swapKey struct {
	s    *Secure
	what string
}

// sealedKey is the key of the nonce that the reply is bound to. wantedKey is
// set if the reply must be sealed.
func (s *Secure) sealedKey() swapKey { return swapKey{s, "call"} }
func (s *Secure) wantedKey() swapKey { return swapKey{s, "reply"} }

// PreWriteCall seals a call.
func (s *Secure) PreWriteCall(ctx erpc.WriteCtx) *erpc.Status {
	m := ctx.Output()
	required := s.cfg.required(m.ServiceMethod())
	wanted := required || accepts(m) == "true" || isSecure(m) && accepts(m) != "false"
	if wanted {
		ctx.Swap().Store(s.wantedKey(), true)
	} else {
		ctx.Swap().Delete(s.wantedKey())
	}
	if !required && !isSecure(m) {
		if wanted {
			ctx.Swap().Store(s.sealedKey(), newCallNonce(m))
		}
		return nil
	}
	nonce, st := s.seal(ctx, erpc.TypeCall, nil)
	if st.OK() {
		ctx.Swap().Store(s.sealedKey(), nonce)
	}
	return st
}

// callNonceBytes is the length of the nonce of a clear call.
const callNonceBytes = 16

// newCallNonce gives a clear call a nonce that its reply is bound to.
func newCallNonce(m erpc.Message) []byte {
	b := make([]byte, callNonceBytes)
	_, _ = rand.Read(b) // it never fails
	text := base64.RawURLEncoding.EncodeToString(b)
	m.Meta().Set(metaCallNonce, text)
	return []byte(text)
}

// PreWritePush seals a push.
func (s *Secure) PreWritePush(ctx erpc.WriteCtx) *erpc.Status {
	m := ctx.Output()
	if !isSecure(m) && !s.cfg.required(m.ServiceMethod()) {
		return nil
	}
	_, st := s.seal(ctx, erpc.TypePush, nil)
	return st
}

// PreWriteReply seals a reply, unless it failed.
func (s *Secure) PreWriteReply(ctx erpc.WriteCtx) *erpc.Status {
	m := ctx.Output()
	if !ctx.StatusOK() {
		m.Meta().Del(SECURE_META_KEY)
		return nil
	}
	_, wanted := ctx.Swap().Load(s.wantedKey())
	if !wanted && !isSecure(m) && !s.cfg.required(m.ServiceMethod()) {
		return nil
	}
	call, _ := ctx.Swap().Load(s.sealedKey())
	nonce, _ := call.([]byte)
	_, st := s.seal(ctx, erpc.TypeReply, nonce)
	return st
}

// PreReadCallBody opens a call.
func (s *Secure) PreReadCallBody(ctx erpc.ReadCtx) *erpc.Status {
	m := ctx.Input()
	if accepts(m) == "true" || isSecure(m) && accepts(m) != "false" {
		ctx.Swap().Store(s.wantedKey(), true)
	}
	nonce, st := s.openInbound(ctx, erpc.TypeCall)
	if nonce == nil {
		nonce = bytes.Clone(m.Meta().Peek(metaCallNonce))
	}
	if nonce != nil {
		ctx.Swap().Store(s.sealedKey(), nonce)
	}
	return st
}

// PreReadPushBody opens a push.
func (s *Secure) PreReadPushBody(ctx erpc.ReadCtx) *erpc.Status {
	_, st := s.openInbound(ctx, erpc.TypePush)
	return st
}

// PreReadReplyBody opens a reply, and refuses a clear one if it must be sealed.
func (s *Secure) PreReadReplyBody(ctx erpc.ReadCtx) *erpc.Status {
	m := ctx.Input()
	if !m.StatusOK() {
		return nil
	}
	if !isSecure(m) {
		if _, wanted := ctx.Swap().Load(s.wantedKey()); wanted {
			return s.refuse(ctx, errClearReply)
		}
		return nil
	}
	call, _ := ctx.Swap().Load(s.sealedKey())
	nonce, _ := call.([]byte)
	_, st := s.open(ctx, erpc.TypeReply, nonce)
	return st
}

var (
	errClear      = errors.New("secure: the method takes sealed messages only")
	errClearReply = errors.New("secure: the reply is not sealed")
	errReplay     = errors.New("secure: the message is older than max_age, or was accepted before")
)

// openInbound opens a sealed call or push, and refuses a clear one if it must
// be sealed. The nonce is nil for a clear message.
func (s *Secure) openInbound(ctx erpc.ReadCtx, mtype byte) (nonce []byte, st *erpc.Status) {
	if isSecure(ctx.Input()) {
		return s.open(ctx, mtype, nil)
	}
	if s.cfg.required(ctx.ServiceMethod()) {
		return nil, s.refuse(ctx, errClear)
	}
	return nil, nil
}

func (s *Secure) seal(ctx erpc.WriteCtx, mtype byte, call []byte) (nonce []byte, st *erpc.Status) {
	k := s.keys.Load()
	if k == nil {
		return nil, erpc.NewStatus(s.cfg.StatusCode, "message not sent", s.mistake)
	}
	m := ctx.Output()
	plain, err := m.MarshalBody()
	if err != nil {
		return nil, erpc.NewStatus(s.cfg.StatusCode, "marshal raw body error", err)
	}
	m.Meta().Set(SECURE_META_KEY, "true")
	mine, _ := s.cfg.roles(ctx.Session())
	by := binding{mtype, m.ServiceMethod(), mine, call}
	body, nonce := k.seal(plain, s.cfg.bound(m, by), time.Now(), s.cfg.Text)
	m.SetBody(body)
	return nonce, nil
}

func (s *Secure) open(ctx erpc.ReadCtx, mtype byte, call []byte) (nonce []byte, st *erpc.Status) {
	k := s.keys.Load()
	if k == nil {
		return nil, s.refuse(ctx, s.mistake)
	}
	m := ctx.Input()
	_, theirs := s.cfg.roles(ctx.Session())
	o, err := k.open(m.Raw(), s.cfg.bound(m, binding{mtype, ctx.ServiceMethod(), theirs, call}))
	if err != nil {
		return nil, s.refuse(ctx, err)
	}
	// Replies need no replay check: each is bound to the call that it answers.
	if s.cfg.MaxAge > 0 && mtype != erpc.TypeReply && !s.replays.take(o.nonce, o.sealed, time.Now()) {
		return nil, s.refuse(ctx, errReplay)
	}
	setRaw(m, o.plain)
	return bytes.Clone(o.nonce), nil
}

// setRaw replaces the body of a message that was read.
func setRaw(m erpc.Message, plain []byte) {
	m.SetRaw(plain)
	if b, ok := m.Body().(*[]byte); ok && b != nil {
		*b = plain // the body of an unknown method; others are decoded after this hook
	}
}

// refuse returns a status without details for the other side, and logs the
// reason, at most once per second.
func (s *Secure) refuse(ctx erpc.ReadCtx, why error) *erpc.Status {
	s.refused.Do(func(skipped uint64) {
		ctx.Log(slog.LevelWarn, "secure: refused", slog.Any("err", why), slog.Uint64("others", skipped))
	})
	if why == errClear || why == errClearReply {
		return erpc.NewStatus(s.cfg.StatusCode, "message must be encrypted")
	}
	return erpc.NewStatus(s.cfg.StatusCode, "decrypt ciphertext error")
}

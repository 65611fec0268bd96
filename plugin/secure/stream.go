package secure

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	"github.com/goerpc/erpc"
)

var errClearMessage = errors.New("secure: the message of a sealed stream is not sealed")

// sealedStream reports whether the messages of the stream are sealed, because
// its opening message was or its method requires it. nonce is the unique nonce
// of the opening, which both ends know.
func (s *Secure) sealedStream(ctx erpc.StreamCtx) (nonce []byte, sealed bool) {
	v, _ := ctx.Swap().Load(s.sealedKey())
	nonce, _ = v.([]byte)
	_, wanted := ctx.Swap().Load(s.wantedKey())
	return nonce, wanted || s.cfg.required(ctx.ServiceMethod())
}

// PreSendMessage seals a message of a stream.
func (s *Secure) PreSendMessage(ctx erpc.StreamCtx) *erpc.Status {
	nonce, sealed := s.sealedStream(ctx)
	if !sealed {
		return nil
	}
	k := s.keys.Load()
	if k == nil {
		return erpc.NewStatus(s.cfg.StatusCode, "message not sent", s.mistake)
	}
	m := ctx.Message()
	plain, err := m.MarshalBody()
	if err != nil {
		return erpc.NewStatus(s.cfg.StatusCode, "marshal raw body error", err)
	}
	m.Meta().Set(SECURE_META_KEY, "true")
	mine, _ := s.cfg.roles(ctx.Session())
	body, _ := k.seal(plain, s.cfg.bound(m, streamBinding(ctx, mine, nonce)), time.Now(), s.cfg.Text)
	m.SetBody(body)
	return nil
}

// PreRecvMessage opens a message of a stream, and refuses a clear one if it
// must be sealed.
func (s *Secure) PreRecvMessage(ctx erpc.StreamCtx) *erpc.Status {
	nonce, sealed := s.sealedStream(ctx)
	m := ctx.Message()
	if !sealed && !isSecure(m) {
		return nil
	}
	k := s.keys.Load()
	switch {
	case !isSecure(m):
		return s.refuseMessage(ctx, errClearMessage)
	case k == nil:
		return s.refuseMessage(ctx, s.mistake)
	}
	_, theirs := s.cfg.roles(ctx.Session())
	o, err := k.open(m.Raw(), s.cfg.bound(m, streamBinding(ctx, theirs, nonce)))
	if err != nil {
		return s.refuseMessage(ctx, err)
	}
	setRaw(m, o.plain)
	return nil
}

// typeStreamMessage is the message type of a stream's messages on the wire. It
// must never change.
const typeStreamMessage = 7

// streamBinding binds a message to its stream, its position there and the side
// that sends it, so that messages can't be dropped, repeated, reordered or
// reflected.
func streamBinding(ctx erpc.StreamCtx, side role, opening []byte) binding {
	at := binary.BigEndian.AppendUint64(append([]byte(nil), opening...), ctx.Index())
	return binding{typeStreamMessage, ctx.ServiceMethod(), side, at}
}

func (s *Secure) refuseMessage(ctx erpc.StreamCtx, why error) *erpc.Status {
	s.refused.Do(func(skipped uint64) {
		ctx.Log(slog.LevelWarn, "secure: message of a stream refused", slog.Any("err", why), slog.Uint64("others", skipped))
	})
	return erpc.NewStatus(s.cfg.StatusCode, "message must be encrypted")
}

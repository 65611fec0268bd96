package proxy

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/goerpc/erpc"
)

// forwardStream is the handler of streams that the peer has no other for. It
// passes messages on in both directions until the backend ends the stream, or the
// client's context does.
func (p *proxy) forwardStream(ctx erpc.CallCtx, down *erpc.UntypedStream) *erpc.Status {
	c := p.client(ctx.Session())
	label, settings, st := p.prepare(ctx, ctx.Context())
	if !st.OK() {
		return p.outcome(c, ctx, st)
	}
	to, st := p.stream(label)
	if !st.OK() {
		return p.outcome(c, ctx, st)
	}
	up, st := to.OpenStream(ctx.Context(), label.ServiceMethod, settings...)
	if !st.OK() {
		return p.outcome(c, ctx, st)
	}
	defer up.Close()
	sending, stop := context.WithCancel(ctx.Context())
	sent := make(chan error, 1)
	go func() { sent <- passUp(sending, down, up) }()
	go passDraining(sending, down, up)
	err := passOn(ctx.Context(), up, down)
	stop() // what the client still sends goes nowhere
	if sendErr := <-sent; sendErr != nil {
		err = sendErr
	}
	switch {
	case errors.Is(err, io.EOF):
		passTrailer(up.Trailer(), ctx.AddMeta)
		return nil
	case ctx.Context().Err() != nil: // the client has ended it, and knows why
		return erpc.StatusFromError(err)
	}
	return p.outcome(c, ctx, erpc.StatusFromError(err))
}

// passUp passes on what the client sends. When a message can't be passed on, the
// stream of the backend ends: it would miss one.
func passUp(ctx context.Context, down, up *erpc.UntypedStream) error {
	err := passOn(ctx, down, up)
	select {
	case <-ctx.Done():
		return nil
	case <-up.Done(): // the receiving side learns how
		return nil
	default:
	}
	if !errors.Is(err, io.EOF) {
		_ = up.Close() // it never fails
		return err
	}
	var meta erpc.Meta
	passTrailer(down.Trailer(), func(k, v string) { meta.Add(k, v) })
	_ = up.CloseSendMeta(&meta) // fails if the stream has ended: as above
	return nil
}

// passOn passes on messages until one side ends. The error is io.EOF when from
// has no more, or when to has ended well before.
func passOn(ctx context.Context, from, to *erpc.UntypedStream) error {
	var body []byte
	for {
		if err := from.RecvInto(ctx, &body); err != nil {
			return err
		}
		if err := to.SendContext(ctx, body); err != nil {
			return err
		}
	}
}

// passDraining tells each side when the other one, or the proxy itself, shuts down
// or wants the stream to end, until ctx ends.
func passDraining(ctx context.Context, down, up *erpc.UntypedStream) {
	fromUp, fromDown := up.Draining(), down.Draining()
	for fromUp != nil || fromDown != nil {
		select {
		case <-fromUp:
			down.Drain()
			fromUp = nil
		case <-fromDown:
			up.Drain()
			fromDown = nil
		case <-ctx.Done():
			return
		}
	}
}

// passTrailer adds the metadata of an end that is for the other end of the whole
// way.
func passTrailer(meta *erpc.Meta, add func(k, v string)) {
	for k, v := range meta.All {
		if !isErpcs(k) || strings.EqualFold(k, erpc.MetaSHA256) {
			add(k, v)
		}
	}
}

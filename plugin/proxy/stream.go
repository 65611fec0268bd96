package proxy

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/goerpc/erpc"
)

// forwardStream is the handler of unknown streams. It passes messages on in
// both directions until the backend ends the stream or the client's context
// ends.
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
	stop() // further messages of the client are dropped
	if sendErr := <-sent; sendErr != nil {
		err = sendErr
	}
	switch {
	case errors.Is(err, io.EOF):
		passTrailer(up.Trailer(), ctx.AddMeta)
		return nil
	case ctx.Context().Err() != nil: // the client has ended the stream and knows why
		return erpc.StatusFromError(err)
	}
	return p.outcome(c, ctx, erpc.StatusFromError(err))
}

// passUp passes on the client's messages. If one can't be passed on, passUp
// ends the stream at the backend, which would otherwise miss a message.
func passUp(ctx context.Context, down, up *erpc.UntypedStream) error {
	err := passOn(ctx, down, up)
	select {
	case <-ctx.Done():
		return nil
	case <-up.Done(): // the other direction reports the end
		return nil
	default:
	}
	if !errors.Is(err, io.EOF) {
		_ = up.Close() // it never fails
		return err
	}
	var meta erpc.Meta
	passTrailer(down.Trailer(), func(k, v string) { meta.Add(k, v) })
	_ = up.CloseSendMeta(&meta) // fails only if the stream has ended; the other direction reports that
	return nil
}

// passOn passes on messages until one side ends. It returns io.EOF if from has
// no more messages, or if to has already ended with success.
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

// passTrailer adds the end-to-end metadata of a stream's end, without the
// hop-by-hop part.
func passTrailer(meta *erpc.Meta, add func(k, v string)) {
	for k, v := range meta.All {
		if !isErpcs(k) || strings.EqualFold(k, erpc.MetaSHA256) {
			add(k, v)
		}
	}
}

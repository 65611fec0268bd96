package erpctest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
)

// A Recorder keeps the calls and pushes that peers receive, those that have a
// handler and all pushes that have none. The zero value is ready; all methods may
// be called concurrently.
type Recorder struct {
	mu      sync.Mutex // guards the following
	got     []Received
	taken   int           // of got, by Next
	changed chan struct{} // closed with the next message; nil: nobody waits
}

// Received is one message.
type Received struct {
	Push   bool // or a call
	Method string
	Meta   *erpc.Meta
	// Body is the argument, encoded by Codec.
	Body  []byte
	Codec byte
	err   error // of encoding the argument
}

// Decode decodes the argument into v.
func (r Received) Decode(v any) error {
	if r.err != nil {
		return r.err
	}
	if b, ok := v.(*[]byte); ok {
		*b = slices.Clone(r.Body)
		return nil
	}
	id := r.Codec
	if id == codec.NilCodecID {
		id = erpc.DefaultBodyCodec().ID()
	}
	if err := codec.Unmarshal(id, r.Body, v); err != nil {
		return fmt.Errorf("erpctest: argument of %s: %w", r.Method, err)
	}
	return nil
}

// Record begins to record what p receives. It sets the handler of pushes that have
// no other, which does nothing; call it before Pair connects the peers, in the
// function that registers their handlers.
func (r *Recorder) Record(p erpc.Peer) {
	p.SetUnknownPush(func(erpc.UnknownPushCtx) *erpc.Status { return nil })
	p.PluginContainer().AppendRight(&erpc.PluginImpl{
		PluginName:         "erpctest.Recorder",
		OnPostReadCallBody: func(ctx erpc.ReadCtx) *erpc.Status { return r.add(ctx, false) },
		OnPostReadPushBody: func(ctx erpc.ReadCtx) *erpc.Status { return r.add(ctx, true) },
	})
}

// add enters a message. The argument belongs to its handler, so a copy is kept in
// the form that it has on the wire.
func (r *Recorder) add(ctx erpc.ReadCtx, push bool) *erpc.Status {
	in := ctx.Input()
	got := Received{Push: push, Method: ctx.ServiceMethod(), Meta: ctx.CopyMeta(), Codec: in.BodyCodec()}
	switch body := in.Body().(type) {
	case nil:
	case *[]byte:
		got.Body = slices.Clone(*body)
	case []byte:
		got.Body = slices.Clone(body)
	default:
		id := got.Codec
		if id == codec.NilCodecID {
			id = erpc.DefaultBodyCodec().ID()
		}
		got.Body, got.err = codec.Marshal(id, body)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, got)
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
	return nil
}

// All returns what was received so far, in the order of its arrival at the hooks.
func (r *Recorder) All() []Received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// Next waits for the first message that Next has not returned before. It fails the
// test if none arrives, and must run on the goroutine of the test.
func (r *Recorder) Next(t testing.TB) Received {
	t.Helper()
	for {
		r.mu.Lock()
		if r.taken < len(r.got) {
			got := r.got[r.taken]
			r.taken++
			r.mu.Unlock()
			return got
		}
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		changed := r.changed
		r.mu.Unlock()
		receive(t, "next message of the recorder", changed)
	}
}

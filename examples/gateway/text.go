package main

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/health"
)

// The methods of the service behind the gateway.
var (
	upper     = erpc.Method[Text, Answer]{Name: "/text/upper"}
	countCall = erpc.Method[struct{}, int64]{Name: "/text/admin/count"} // for users with the role admin
)

const watchTicks = "/text/ticks" // a stream of numbers

// A Text is a text to convert to capitals.
type Text struct {
	Text string `json:"text"`
}

// An Answer is the text in capitals, with the user and the instance that
// answered.
type Answer struct {
	Text     string `json:"text"`
	User     string `json:"user"`
	Instance string `json:"instance"`
}

// An instance serves texts.
type instance struct {
	peer erpc.Peer
	addr string
	done chan error

	answered atomic.Int64
}

func startText(addr string, log *slog.Logger) (*instance, error) {
	p := erpc.NewPeer(erpc.PeerConfig{ListenAddress: addr, Logger: log}, health.New())
	lis, err := p.Listen()
	if err != nil {
		_ = p.Close() // it does not serve yet
		return nil, err
	}
	i := &instance{peer: p, addr: lis.Addr().String(), done: make(chan error, 1)}
	upper.Handle(p, func(ctx context.Context, t *Text) (*Answer, error) {
		i.answered.Add(1)
		user := erpc.CallCtxFrom(ctx).GetMeta(metaUser)
		return &Answer{strings.ToUpper(t.Text), user, i.addr}, nil
	})
	countCall.Handle(p, func(context.Context, *struct{}) (*int64, error) {
		n := i.answered.Load()
		return &n, nil
	})
	erpc.HandleStream(p, watchTicks, func(ctx context.Context, s *erpc.Stream[struct{}, int]) error {
		every := time.NewTicker(100 * time.Millisecond)
		defer every.Stop()
		for n := 1; ; n++ {
			if err := s.Send(&n); err != nil {
				return err
			}
			select {
			case <-every.C:
			case <-ctx.Done():
				return nil
			}
		}
	})
	go func() { i.done <- p.Serve(lis) }()
	return i, nil
}

// Addr returns the address of the instance.
func (i *instance) Addr() string { return i.addr }

// Done receives the reason when the instance stops serving.
func (i *instance) Done() <-chan error { return i.done }

// Shutdown ends the instance gracefully; the gateway calls another one.
func (i *instance) Shutdown(ctx context.Context) error { return i.peer.Shutdown(ctx) }

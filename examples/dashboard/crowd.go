package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/goerpc/erpc"
)

// crowd simulates customers of the shop until ctx ends, each making about calls
// calls per second.
func (s *shop) crowd(ctx context.Context, customers int, calls float64) error {
	cli := erpc.NewPeer(erpc.PeerConfig{RedialTimes: -1, RedialInterval: 100 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	defer cli.Close()
	erpc.HandlePush(cli, "/chat/heard", func(context.Context, *string) error { return nil })
	var group sync.WaitGroup
	defer group.Wait()
	for i := range customers {
		sess, st := cli.DialContext(ctx, s.addr)
		if !st.OK() {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("customer %d can't connect: %w", i, st.Err())
		}
		group.Go(func() { customer(ctx, sess, fmt.Sprintf("customer-%02d", i), calls) })
		if i%4 == 0 {
			group.Go(func() { watch(ctx, sess) })
		}
	}
	<-ctx.Done()
	return nil
}

// customer makes calls until ctx ends. It ignores failures, which show in the
// dashboard.
func customer(ctx context.Context, sess erpc.Session, name string, calls float64) {
	_, _ = erpc.Call[bool](ctx, sess, "/account/login", &name)
	began := time.Now()
	for ctx.Err() == nil {
		// The load varies in waves.
		wave := 1 + 0.6*math.Sin(time.Since(began).Seconds()/12)
		if pause(ctx, time.Duration(rand.ExpFloat64()/(calls*wave)*float64(time.Second))) != nil {
			return
		}
		switch n := rand.IntN(1000); {
		case n < 600:
			_, _ = erpc.Call[[]Product](ctx, sess, "/shop/search", &Search{Words: "teapot", Max: 10})
		case n < 800:
			_, _ = erpc.Call[Receipt](ctx, sess, "/shop/order", &Order{})
		case n < 985:
			line := "hello from " + name
			_ = sess.Push("/chat/say", &line)
		case n < 990:
			_, _ = erpc.Call[map[string]int64](ctx, sess, "/shop/report", &struct{}{})
		default:
			_, _ = erpc.Call[int](ctx, sess, fmt.Sprintf("/no/such/method/%d", rand.IntN(1000)), &struct{}{})
		}
	}
}

// watch follows prices, opening one stream after another.
func watch(ctx context.Context, sess erpc.Session) {
	for ctx.Err() == nil {
		once, cancel := context.WithTimeout(ctx, time.Duration(5+rand.IntN(20))*time.Second)
		stream, err := erpc.OpenStream[string, Product](once, sess, "/shop/prices")
		if err == nil {
			name := "teapot"
			if stream.Send(&name) == nil {
				for range stream.All() { // until its time is over
				}
			}
			stream.Close()
		}
		cancel()
		if pause(ctx, time.Second) != nil {
			return
		}
	}
}

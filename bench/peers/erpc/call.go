package main

import (
	"context"
	"fmt"

	"github.com/goerpc/erpc"

	"github.com/goerpc/erpc/bench/peers/erpc/benchvt"
	"github.com/goerpc/erpc/bench/rig"
	"github.com/goerpc/erpc/bench/rig/benchpb"
)

// The paths of the handlers.
const (
	pathTyped  = "/say"
	pathStruct = "/echo/say" // what RouteCall makes of Echo.Say
	pathBytes  = "/bytes"
	pathPush   = "/push"
)

func handleTyped(p erpc.Peer, c rig.Config) error {
	if c.Codec == "json" {
		handle[benchpb.Plain](p, c)
	} else {
		handle[benchpb.Message](p, c)
	}
	return nil
}

func handleVT(p erpc.Peer, c rig.Config) error {
	handle[benchvt.Message](p, c)
	return nil
}

// A message is a pointer to the benchmark message in either of its forms.
type message[M any] interface {
	*M
	Tag(uint32)
	Pad(int)
	Answer()
	Check(uint32) error
}

func handle[M any, P message[M]](p erpc.Peer, c rig.Config) {
	erpc.HandleCall(p, pathTyped, func(_ context.Context, m *M) (*M, error) {
		c.Work()
		P(m).Answer()
		return m, nil
	})
}

// Echo is the struct whose methods RouteCall registers.
type Echo struct{ erpc.CallCtx }

// Say answers m.
func (*Echo) Say(m *benchpb.Message) (*benchpb.Message, *erpc.Status) {
	m.Answer()
	return m, nil
}

func handleStruct(p erpc.Peer, _ rig.Config) error {
	if got := p.RouteCall(new(Echo)); len(got) != 1 || got[0] != pathStruct {
		return fmt.Errorf("erpc: the routes are %q, not %s", got, pathStruct)
	}
	return nil
}

func handleBytes(p erpc.Peer, _ rig.Config) error {
	erpc.HandleCall(p, pathBytes, func(_ context.Context, b *[]byte) (*[]byte, error) { return b, nil })
	return nil
}

// callMessage returns callers of a method that takes the benchmark message.
func callMessage(path string) func(erpc.Session, rig.Config, int) func() error {
	return func(s erpc.Session, c rig.Config, i int) func() error {
		if c.Codec == "json" {
			return callWith(s, path, c, i, benchpb.NewPlain())
		}
		return callWith(s, path, c, i, benchpb.NewRequest())
	}
}

func callVT(s erpc.Session, c rig.Config, i int) func() error {
	req, err := benchvt.NewRequest()
	if err != nil {
		return func() error { return err }
	}
	return callWith(s, pathTyped, c, i, req)
}

func callWith[M any, P message[M]](s erpc.Session, path string, c rig.Config, i int, req P) func() error {
	tag, settings := uint32(i)<<16, settings(c)
	req.Pad(c.Pad)
	return func() error {
		tag++
		req.Tag(tag)
		reply, err := erpc.Call[M](context.Background(), s, path, req, settings...)
		if err != nil {
			return err
		}
		return P(reply).Check(tag)
	}
}

func callBytes(s erpc.Session, c rig.Config, _ int) func() error {
	body, settings := rig.NewBody(c.Size), settings(c)
	return func() error {
		reply, err := erpc.Call[[]byte](context.Background(), s, pathBytes, &body, settings...)
		if err != nil {
			return err
		}
		return rig.CheckBody(*reply, c.Size)
	}
}

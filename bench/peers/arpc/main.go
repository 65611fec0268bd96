// Command arpc is lesismal/arpc with a protobuf codec: with its defaults, and
// tuned: send buffers of 64 KiB, without which it never batches what it sends,
// and its pool of buffers. By its defaults handlers run in goroutines of their
// own and Nagle's algorithm is on.
package main

import (
	"fmt"
	"net"
	"os"
	"time"

	"github.com/lesismal/arpc"
	"github.com/lesismal/arpc/codec"
	"github.com/lesismal/arpc/log"
	"google.golang.org/protobuf/proto"

	"github.com/goerpc/erpc/bench/rig"
)

func main() {
	log.SetLevel(log.LevelError)
	rig.Main(
		rig.Variant{Name: "arpc", Serve: serve(asItComes), Dial: dial(asItComes)},
		rig.Variant{Name: "arpc-tuned", Serve: serve(tuned), Dial: dial(tuned)},
	)
}

func asItComes(arpc.Handler) {}

func tuned(h arpc.Handler) {
	h.SetSendBufferSize(65536)
	h.EnablePool(true)
}

// timeout bounds a call; it is never reached in a run that counts.
const timeout = 30 * time.Second

// pb is the codec of both sides.
type pb struct{}

func (pb) Marshal(v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("arpc: %T is not a protobuf message", v)
	}
	return proto.Marshal(m)
}

func (pb) Unmarshal(b []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("arpc: %T is not a protobuf message", v)
	}
	return proto.Unmarshal(b, m)
}

func codecOf(c rig.Config) codec.Codec {
	if c.Codec == "json" {
		return new(codec.JSONCodec)
	}
	return pb{}
}

func serve(tune func(arpc.Handler)) func(rig.Config) (*rig.Server, error) {
	return func(c rig.Config) (*rig.Server, error) {
		s := arpc.NewServer()
		s.Codec = codecOf(c)
		tune(s.Handler)
		s.Handler.Handle("/say", func(ctx *arpc.Context) {
			m := c.NewReply()
			if err := ctx.Bind(m); err != nil {
				ctx.Error(err)
				return
			}
			c.Work()
			m.Answer()
			ctx.Write(m)
		})
		l, err := rig.Listen(c)
		if err != nil {
			return nil, err
		}
		go func() { fmt.Fprintln(os.Stderr, "arpc: no longer serving:", s.Serve(l)) }()
		return &rig.Server{Push: func(body []byte) (sent int, err error) {
			s.ForEach(func(cl *arpc.Client) {
				if e := cl.Notify("/push", body, timeout); e == nil {
					sent++
				} else {
					err = e
				}
			})
			return sent, err
		}}, nil
	}
}

func dial(tune func(arpc.Handler)) func(rig.Config) (*rig.Client, error) {
	return func(c rig.Config) (*rig.Client, error) {
		h := arpc.NewHandler()
		tune(h)
		h.Handle("/push", func(ctx *arpc.Context) { c.OnPush(ctx.Body()) })
		all := make([]*arpc.Client, c.Conns)
		for i := range all {
			var err error
			all[i], err = arpc.NewClient(func() (net.Conn, error) { return rig.Connect(c) }, h)
			if err != nil {
				return nil, err
			}
			all[i].Codec = codecOf(c)
		}
		if c.Workload == rig.Push {
			return &rig.Client{}, nil
		}
		return &rig.Client{NewCaller: func(i int) func() error {
			cl, req, tag := all[i%len(all)], c.NewRequest(), uint32(i)<<16
			req.Pad(c.Pad)
			return func() error {
				tag++
				req.Tag(tag)
				reply := c.NewReply()
				if err := cl.Call("/say", req, reply, timeout); err != nil {
					return err
				}
				return reply.Check(tag)
			}
		}}, nil
	}
}

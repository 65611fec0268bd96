// Command v7 is andeya/erpc v7, the predecessor: its raw protocol, its
// protobuf body codec, function handlers.
//
// Its codec works through gogo/protobuf, which hands messages that can encode
// themselves to their own methods: so it does the same protobuf work as the
// others.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/andeya/erpc/v7"
	"google.golang.org/protobuf/proto"

	"github.com/goerpc/erpc/bench/rig"
	"github.com/goerpc/erpc/bench/rig/benchpb"
)

func main() {
	erpc.SetLoggerLevel("OFF")
	rig.Main(rig.Variant{Name: "v7", Serve: serve, Dial: dial})
}

// A Message is the benchmark message with the methods that gogo/protobuf looks
// for. It is exported because v7 asks that of its handlers.
type Message struct{ benchpb.Message }

func (m *Message) Marshal() ([]byte, error) { return proto.Marshal(&m.Message) }

func (m *Message) Unmarshal(b []byte) error { return proto.Unmarshal(b, &m.Message) }

func say(_ erpc.CallCtx, m *Message) (*Message, *erpc.Status) {
	m.Answer()
	return m, nil
}

func echo(_ erpc.CallCtx, b *[]byte) ([]byte, *erpc.Status) { return *b, nil }

// onPush is set once, before the first session: v7 names a route after its
// function, so that this one can't be a closure.
var onPush func([]byte)

func push(_ erpc.PushCtx, b *[]byte) *erpc.Status {
	onPush(*b)
	return nil
}

// The paths that the routes get: the same on both sides, as both name them.
const (
	pathSay  = "/say"
	pathEcho = "/echo"
	pathPush = "/push"
)

func config(c rig.Config) erpc.PeerConfig {
	if c.Workload == rig.Call {
		return erpc.PeerConfig{DefaultBodyCodec: "protobuf"}
	}
	return erpc.PeerConfig{DefaultBodyCodec: "plain"}
}

func serve(c rig.Config) (*rig.Server, error) {
	host, port, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	cfg := config(c)
	cfg.LocalIP, cfg.ListenPort = host, uint16(n)
	p := erpc.NewPeer(cfg)
	if err := route(pathSay, p.RouteCallFunc(say)); err != nil {
		return nil, err
	}
	if err := route(pathEcho, p.RouteCallFunc(echo)); err != nil {
		return nil, err
	}
	go func() { fmt.Fprintln(os.Stderr, "v7: no longer serving:", p.ListenAndServe()) }()
	if err := rig.AwaitListener(c.Addr); err != nil {
		return nil, err
	}
	return &rig.Server{Push: func(body []byte) (sent int, err error) {
		p.RangeSession(func(s erpc.Session) bool {
			st := s.Push(pathPush, body)
			if st.OK() {
				sent++
			} else {
				err = errors.New(st.String())
			}
			return err == nil
		})
		return sent, err
	}}, nil
}

func route(want, got string) error {
	if got != want {
		return fmt.Errorf("v7: a route became %s, not %s", got, want)
	}
	return nil
}

func dial(c rig.Config) (*rig.Client, error) {
	p := erpc.NewPeer(config(c))
	onPush = c.OnPush
	if err := route(pathPush, p.RoutePushFunc(push)); err != nil {
		return nil, err
	}
	all := make([]erpc.Session, c.Conns)
	for i := range all {
		s, st := p.Dial(c.Addr)
		if !st.OK() {
			return nil, errors.New(st.String())
		}
		all[i] = s
	}
	if c.Workload == rig.Push {
		return &rig.Client{}, nil
	}
	return &rig.Client{NewCaller: func(i int) func() error {
		if c.Workload == rig.Bytes {
			return bytesCaller(all[i%len(all)], c.Size)
		}
		return caller(all[i%len(all)], uint32(i)<<16)
	}}, nil
}

func caller(s erpc.Session, tag uint32) func() error {
	req := new(Message)
	proto.Merge(&req.Message, benchpb.NewRequest())
	return func() error {
		tag++
		req.Tag(tag)
		var reply Message
		if st := s.Call(pathSay, req, &reply).Status(); !st.OK() {
			return errors.New(st.String())
		}
		return reply.Check(tag)
	}
}

func bytesCaller(s erpc.Session, size int) func() error {
	body := rig.NewBody(size)
	return func() error {
		var reply []byte
		if st := s.Call(pathEcho, body, &reply).Status(); !st.OK() {
			return errors.New(st.String())
		}
		return rig.CheckBody(reply, size)
	}
}

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
	"path/filepath"
	"strconv"
	"time"

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

// work is called by handlers before they answer. Like onPush, it is set once,
// before the first session.
var work func()

func say(_ erpc.CallCtx, m *Message) (*Message, *erpc.Status) {
	work()
	m.Answer()
	return m, nil
}

func plain(_ erpc.CallCtx, m *benchpb.Plain) (*benchpb.Plain, *erpc.Status) {
	work()
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

// The paths of the routes, which both sides use.
const (
	pathSay   = "/say"
	pathPlain = "/plain"
	pathEcho  = "/echo"
	pathPush  = "/push"
)

func config(c rig.Config) erpc.PeerConfig {
	cfg := erpc.PeerConfig{DefaultBodyCodec: "plain"}
	switch {
	case c.Codec == "json":
		cfg.DefaultBodyCodec = "json"
	case c.Workload == rig.Call:
		cfg.DefaultBodyCodec = "protobuf"
	}
	switch c.Transport {
	case rig.Unix, rig.QUIC:
		cfg.Network = c.Transport
	}
	return cfg
}

func serve(c rig.Config) (*rig.Server, error) {
	work = c.Work
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
	if c.Encrypted() {
		t, err := rig.ServerTLS()
		if err != nil {
			return nil, err
		}
		p.SetTLSConfig(t)
	}
	if err := route(pathPlain, p.RouteCallFunc(plain)); err != nil {
		return nil, err
	}
	if err := route(pathSay, p.RouteCallFunc(say)); err != nil {
		return nil, err
	}
	if err := route(pathEcho, p.RouteCallFunc(echo)); err != nil {
		return nil, err
	}
	go func() { fmt.Fprintln(os.Stderr, "v7: no longer serving:", p.ListenAndServe()) }()
	if err := rig.AwaitListener(c); err != nil {
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
	cfg := config(c)
	if c.Transport == rig.Unix { // v7 binds this side too
		cfg.LocalIP = filepath.Join(os.TempDir(), fmt.Sprintf("erpcbench-v7-%d", os.Getpid()))
	}
	p := erpc.NewPeer(cfg)
	if c.Encrypted() {
		p.SetTLSConfig(rig.ClientTLS())
	}
	onPush = c.OnPush
	if err := route(pathPush, p.RoutePushFunc(push)); err != nil {
		return nil, err
	}
	all := make([]erpc.Session, c.Conns)
	for i := range all {
		s, err := dialOne(p, c)
		if err != nil {
			return nil, err
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
		if c.Codec == "json" {
			return plainCaller(all[i%len(all)], c, uint32(i)<<16)
		}
		return caller(all[i%len(all)], c, uint32(i)<<16)
	}}, nil
}

// dialOne dials the server. Over QUIC it repeats this, because the server does
// not report when it listens.
func dialOne(p erpc.Peer, c rig.Config) (erpc.Session, error) {
	tries := 1
	if c.Transport == rig.QUIC {
		tries = 20
	}
	for {
		s, st := p.Dial(c.Addr)
		if st.OK() {
			return s, nil
		}
		tries--
		if tries == 0 {
			return nil, errors.New(st.String())
		}
		time.Sleep(50 * time.Millisecond) // there is nothing else to wait for
	}
}

func plainCaller(s erpc.Session, c rig.Config, tag uint32) func() error {
	req := benchpb.NewPlain()
	req.Pad(c.Pad)
	return func() error {
		tag++
		req.Tag(tag)
		var reply benchpb.Plain
		if st := s.Call(pathPlain, req, &reply).Status(); !st.OK() {
			return errors.New(st.String())
		}
		return reply.Check(tag)
	}
}

func caller(s erpc.Session, c rig.Config, tag uint32) func() error {
	req := new(Message)
	proto.Merge(&req.Message, benchpb.NewRequest())
	req.Pad(c.Pad)
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

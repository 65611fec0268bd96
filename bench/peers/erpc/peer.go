package main

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/goerpc/erpc"
	transports "github.com/goerpc/erpc/socket/all"
	"github.com/goerpc/erpc/socket/eventloop"
	"github.com/goerpc/erpc/xfer/gzip"
	"github.com/goerpc/erpc/xfer/s2"

	"github.com/goerpc/erpc/bench/rig"
)

// The filters, each under its own byte.
const (
	gzipID = 'g'
	s2ID   = '2'
)

// registerFilters is for a process that makes several peers: filters are the
// process's.
var registerFilters = sync.OnceFunc(func() {
	gzip.Reg(gzipID, "gzip", 5)
	s2.Reg(s2ID, "s2", 0)
})

// newPeer returns a peer as c wants it. All that c does not mention is left to
// the defaults.
func newPeer(c rig.Config, cfg erpc.PeerConfig) (erpc.Peer, error) {
	switch c.Filter {
	case "", "gzip", "s2":
	default:
		return nil, fmt.Errorf("erpc: no filter %q in this benchmark", c.Filter)
	}
	registerFilters()
	cfg.DefaultBodyCodec = "plain"
	switch {
	case c.Codec == "json":
		cfg.DefaultBodyCodec = "json"
	case c.Workload == rig.Call:
		cfg.DefaultBodyCodec = "protobuf"
	}
	switch c.Transport {
	case rig.Unix, rig.WebSocket, rig.QUIC:
		cfg.Network, cfg.Transports = c.Transport, transports.Transports()
	}
	var plugins []erpc.Plugin
	for i := range c.Plugins {
		plugins = append(plugins, &everywhere{name: fmt.Sprintf("everywhere-%d", i)})
	}
	return erpc.NewPeer(cfg, plugins...), nil
}

// settings are those of each call.
func settings(c rig.Config) (all []erpc.MessageSetting) {
	for i := range c.Meta {
		all = append(all, erpc.WithAddMeta(fmt.Sprintf("key-%d", i), fmt.Sprintf("the value of entry %d", i)))
	}
	switch c.Filter {
	case "gzip":
		all = append(all, erpc.WithXferPipe(gzipID))
	case "s2":
		all = append(all, erpc.WithXferPipe(s2ID))
	}
	return all
}

// listen serves on c.Addr with a peer of cfg.
func listen(c rig.Config, cfg erpc.PeerConfig, route func(erpc.Peer, rig.Config) error) (p erpc.Peer, err error) {
	cfg.ListenAddress = c.Addr
	p, err = newPeer(c, cfg)
	if err != nil {
		return p, err
	}
	if c.Encrypted() {
		t, err := rig.ServerTLS()
		if err != nil {
			return p, err
		}
		p.SetTLSConfig(t)
	}
	if err := route(p, c); err != nil {
		return p, err
	}
	lis, err := p.Listen()
	if err != nil {
		return p, err
	}
	go func() { fmt.Fprintln(os.Stderr, "erpc: no longer serving:", p.Serve(lis)) }()
	return p, nil
}

// overLoop are the settings of a peer on the event-loop transport.
func overLoop() erpc.PeerConfig {
	return erpc.PeerConfig{Network: eventloop.Network, Transports: []erpc.Transport{&eventloop.Transport{}}}
}

// nothing registers no handler.
func nothing(erpc.Peer, rig.Config) error { return nil }

func defaults() erpc.PeerConfig { return erpc.PeerConfig{} }

func serve(route func(erpc.Peer, rig.Config) error) func(rig.Config) (*rig.Server, error) {
	return serveOver(defaults, route)
}

func serveOver(cfg func() erpc.PeerConfig, route func(erpc.Peer, rig.Config) error) func(rig.Config) (*rig.Server, error) {
	return func(c rig.Config) (*rig.Server, error) {
		_, err := listen(c, cfg(), route)
		return &rig.Server{}, err
	}
}

func dial(makeCaller func(erpc.Session, rig.Config, int) func() error) func(rig.Config) (*rig.Client, error) {
	return dialOver(defaults, makeCaller)
}

func dialOver(cfg func() erpc.PeerConfig, makeCaller func(erpc.Session, rig.Config, int) func() error) func(rig.Config) (*rig.Client, error) {
	return func(c rig.Config) (*rig.Client, error) {
		all, err := sessions(c, cfg(), nothing)
		if err != nil {
			return nil, err
		}
		cl := &caller{c, all, makeCaller}
		return &rig.Client{NewCaller: cl.forCaller}, nil
	}
}

// A caller spreads callers over sessions.
type caller struct {
	c        rig.Config
	sessions []erpc.Session
	make     func(erpc.Session, rig.Config, int) func() error
}

func (cl *caller) forCaller(i int) func() error {
	if len(cl.sessions) <= cl.c.Callers {
		return cl.make(cl.sessions[i%len(cl.sessions)], cl.c, i)
	}
	// More sessions than callers: each goes around its own share.
	var calls []func() error
	for k := i; k < len(cl.sessions); k += cl.c.Callers {
		calls = append(calls, cl.make(cl.sessions[k], cl.c, i))
	}
	next := 0
	return func() error {
		next++
		return calls[next%len(calls)]()
	}
}

// sessions opens c.Conns sessions of one peer of cfg.
func sessions(c rig.Config, cfg erpc.PeerConfig, route func(erpc.Peer, rig.Config) error) ([]erpc.Session, error) {
	p, err := newPeer(c, cfg)
	if err != nil {
		return nil, err
	}
	if err := route(p, c); err != nil {
		return nil, err
	}
	if c.Encrypted() {
		p.SetTLSConfig(rig.ClientTLS())
	}
	all := make([]erpc.Session, c.Conns)
	for i := range all {
		s, st := p.Dial(c.Addr)
		if !st.OK() {
			return nil, errors.New(st.String())
		}
		all[i] = s
	}
	return all, nil
}

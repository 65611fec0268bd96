package main

import (
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/socket/all"
	"github.com/goerpc/erpc/socket/websocket"
)

// A target says where to dial and which protocol to use.
type target struct {
	network  string // of the peer: tcp, unix, ws, quic or kcp
	protocol string // "" means the peer's default
	tls      bool
	messages bool // for WebSocket: each WebSocket message is one erpc message
	addr     string
}

var (
	protocols = []string{"raw", "json", "pb", "thrift", "thrift-struct", "http"}
	networks  = []string{"tcp", "tls", "unix", "ws", "wss", "quic", "kcp"}
)

// parseTarget parses host:port or a URL whose scheme is a network, a protocol,
// or both joined by a plus in any order.
func parseTarget(s string) (target, error) {
	if !strings.Contains(s, "://") {
		t := target{network: "tcp", addr: s}
		return t, t.check(s)
	}
	scheme, rest, _ := strings.Cut(s, "://")
	t := target{}
	for part := range strings.SplitSeq(scheme, "+") {
		switch {
		case part == "https" && t.protocol == "":
			t.protocol, t.tls = "http", true
		case slices.Contains(networks, part) && t.network == "":
			t.network = part
		case slices.Contains(protocols, part) && t.protocol == "":
			t.protocol = part
		default:
			return t, usagef("target %q: %q is not a protocol (%s) or a network (%s)", s, part, strings.Join(protocols, ", "), strings.Join(networks, ", "))
		}
	}
	switch t.network {
	case "", "tls":
		t.tls = t.tls || t.network == "tls"
		t.network = "tcp"
	case "wss", "quic":
		t.tls = true
	}
	if strings.Contains(rest, "@") && t.network != "unix" {
		return t, usagef("target: a URL must not contain a user or a password; use -auth")
	}
	t.addr = rest
	if t.websocket() {
		t.messages = t.protocol == "json" || t.protocol == "pb"
	} else if t.network != "unix" {
		t.addr = strings.TrimSuffix(rest, "/")
	}
	if t.protocol == "http" && !strings.Contains(t.addr, ":") {
		port := "80"
		if t.tls {
			port = "443"
		}
		t.addr = net.JoinHostPort(t.addr, port)
	}
	return t, t.check(s)
}

// check validates the address.
func (t target) check(s string) error {
	if t.network == "unix" {
		if t.addr == "" {
			return usagef("target %q has no path", s)
		}
		return nil
	}
	hostPort, path, _ := strings.Cut(t.addr, "/")
	if path != "" && !t.websocket() {
		return usagef("target %q: only WebSocket targets have a path", s)
	}
	_, port, err := net.SplitHostPort(hostPort)
	if err != nil || port == "" {
		return usagef("target %q is neither host:port nor a URL such as tcp://host:port, raw+tls://host:port, ws+json://host:port/path, unix:///path", s)
	}
	_, err = url.Parse("//" + t.addr)
	if err != nil {
		return usagef("target %q: %v", s, err)
	}
	return nil
}

func (t target) websocket() bool { return t.network == "ws" || t.network == "wss" }

// peer returns the configuration of a peer for the target, and what its sessions speak
// if that is not in it. path is that of WebSocket to listen on.
func (t target) peer(path string) (erpc.PeerConfig, []erpc.ProtoFunc) {
	cfg := erpc.PeerConfig{Network: t.network, Protocol: t.protocol, Transports: all.Transports(), Logger: slog.New(slog.DiscardHandler)}
	if t.websocket() {
		cfg.Transports = append(cfg.Transports, websocket.Transport{Config: websocket.Config{Messages: t.messages, Path: path}})
	}
	if !t.messages {
		return cfg, nil
	}
	cfg.Protocol = ""
	if t.protocol == "pb" {
		return cfg, []erpc.ProtoFunc{pbproto.NewSubProtoFunc()}
	}
	return cfg, []erpc.ProtoFunc{jsonproto.NewSubProtoFunc()}
}

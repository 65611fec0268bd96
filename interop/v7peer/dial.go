package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/andeya/erpc/v7"
	"github.com/andeya/erpc/v7/mixer/websocket"
)

// dialPeer dials addr the way the options say. serve is called before dialling,
// to register what the client itself serves; it may be nil. The returned
// function removes what was made for a unix socket.
func dialPeer(o *options, addr string, to sink, plugins []erpc.Plugin, serve func(erpc.Peer)) (erpc.Session, func(), error) {
	cfg := o.peerConfig()
	if o.proxy != "" {
		// v7's proxy forwards the bytes of a body without its codec's id, and the
		// session to the backend puts its own default there.
		cfg.DefaultBodyCodec = "json"
	}
	remove := func() {}
	if o.network == "unix" {
		// v7 binds the client's end as well, to a file named LocalIP:LocalPort.
		dir, err := os.MkdirTemp("", "v7peer")
		if err != nil {
			return nil, remove, err
		}
		remove = func() { _ = os.RemoveAll(dir) } // a temporary directory may stay
		cfg.LocalIP = filepath.Join(dir, "c")
	}
	if o.websocket() {
		// First, so that the upgrade comes before anything another plugin says.
		plugins = append([]erpc.Plugin{websocket.NewDialPlugin(o.wsPath)}, plugins...)
	}
	p := newPeer(o, cfg, to, plugins)
	if o.tls || o.network == "quic" {
		p.SetTLSConfig(clientTLS())
	}
	if serve != nil {
		serve(p)
	}
	protoFunc, err := o.protoFunc()
	if err != nil {
		return nil, remove, err
	}
	sess, stat := p.Dial(addr, protoFunc)
	if !stat.OK() {
		return nil, remove, &dialError{addr: addr, status: newStatusLine(stat)}
	}
	return sess, remove, nil
}

// dialError keeps v7's status, of which tests want to see the parts.
type dialError struct {
	addr   string
	status *statusLine
}

func (e *dialError) Error() string {
	return fmt.Sprintf("dial %s: status %d %s: %s", e.addr, e.status.Code, e.status.Msg, e.status.Cause)
}

// dialBackend dials where a proxy forwards to; the backend speaks as the proxy
// does, without its plugins.
func dialBackend(o *options) (erpc.Session, func(), error) {
	sess, remove, err := dialPeer(o, o.proxy, nil, nil, nil)
	if err != nil {
		return nil, remove, fmt.Errorf("proxy: %w", err)
	}
	return sess, remove, nil
}

package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/andeya/erpc/v7"
	"github.com/andeya/erpc/v7/mixer/websocket"
)

// closeLimit bounds v7's Close, which waits for handlers and pending calls.
const closeLimit = 2 * time.Second

// serve runs the server until stdin ends. It prints "READY <addr>" first.
func serve(o *options, out *reporter) error {
	cfg := o.peerConfig()
	remove, err := listenConfig(o, &cfg)
	if err != nil {
		return err
	}
	defer remove()

	plugins := sharedPlugins(o, newHeartbeats(func(l heartbeatLine) { out.line(l) }))
	if o.auth != "" {
		plugins = append(plugins, authChecker(o.auth))
	}
	if o.proxy != "" {
		backend, removeBackend, err := dialBackend(o)
		defer removeBackend()
		if err != nil {
			return err
		}
		plugins = append(plugins, proxyTo(backend))
	}
	plugins = append(plugins, &erpc.PluginImpl{
		PluginName:   "v7peer-ready",
		OnPostListen: func(a net.Addr) error { out.text("READY " + a.String()); return nil },
	})

	p := newPeer(o, cfg, out, plugins)
	if o.proxy == "" {
		routeService(p, out)
	}
	if o.tls {
		p.SetTLSConfig(erpc.GenerateTLSConfigForServer())
	}
	protoFunc, err := o.protoFunc()
	if err != nil {
		return err
	}

	failed := make(chan error, 1)
	if o.websocket() {
		err = serveWebsocket(o, p, protoFunc, out, failed)
	} else {
		go func() { failed <- p.ListenAndServe(protoFunc) }()
	}
	if err != nil {
		return err
	}
	stdinEnds := make(chan struct{})
	go func() {
		// However stdin ends, the parent is gone.
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(stdinEnds)
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-stdinEnds:
		closePeer(p)
		return nil
	}
}

// closePeer closes v7's peer, but does not wait for it when it hangs: the
// process ends anyway.
func closePeer(p erpc.Peer) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		if err := p.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "v7peer: close:", err)
		}
	}()
	select {
	case <-closed:
	case <-time.After(closeLimit):
	}
}

// listenConfig puts the address into v7's configuration, which has an IP and a
// port only. Port 0 works for v7's first listener of a process, and its
// PostListen hook gets the real address. The returned function removes what was
// made for a unix socket.
func listenConfig(o *options, cfg *erpc.PeerConfig) (remove func(), err error) {
	remove = func() {}
	addr := o.addr
	switch {
	case addr == "" && o.network == "unix":
		dir, err := os.MkdirTemp("", "v7peer")
		if err != nil {
			return nil, err
		}
		remove = func() { _ = os.RemoveAll(dir) } // a temporary directory may stay
		addr = filepath.Join(dir, "s:0")
	case addr == "":
		addr = "127.0.0.1:0"
	}
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("-addr: %w", err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("-addr %q: %w", addr, err)
	}
	cfg.LocalIP, cfg.ListenPort = host, uint16(port)
	return remove, nil
}

// serveWebsocket serves v7's handler on a listener of our own, because v7's own
// websocket server takes port 80 for port 0.
func serveWebsocket(o *options, p erpc.Peer, protoFunc erpc.ProtoFunc, out *reporter, failed chan<- error) error {
	addr := o.addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	out.text("READY " + lis.Addr().String())
	if o.tls {
		lis = tls.NewListener(lis, p.TLSConfig())
	}
	mux := http.NewServeMux()
	mux.Handle(o.wsPath, websocket.NewServeHandler(p, nil, protoFunc))
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { failed <- srv.Serve(lis) }()
	return nil
}

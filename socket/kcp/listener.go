package kcp

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	kcpgo "github.com/xtaci/kcp-go/v5"

	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/internal/accept"
)

// A Listener accepts connections over KCP, from peers of this package and of erpc v7.
// Its UDP socket stays open until the last of them has ended.
type Listener struct {
	kcp   *kcpgo.Listener
	gate  *gate
	cfg   Config
	o     *socket.Options
	queue *accept.Queue
}

var _ net.Listener = (*Listener)(nil)

// Listen implements [socket.Transport].
func (t Transport) Listen(ctx context.Context, network, addr string, o *socket.Options) (net.Listener, error) {
	l, err := t.listen(ctx, udpNetwork(network), addr, o)
	if err != nil {
		return nil, fmt.Errorf("kcp: listen on %s: %w", addr, err)
	}
	return l, nil
}

func (t Transport) listen(ctx context.Context, network, addr string, o *socket.Options) (*Listener, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cfg, err := t.Config.complete()
	if err != nil {
		return nil, err
	}
	local, err := net.ResolveUDPAddr(network, addr)
	if err != nil {
		return nil, err
	}
	udp, err := listenUDP(ctx, network, local, o)
	if err != nil {
		return nil, err
	}
	g, err := newGate(udp, cfg)
	if err != nil {
		_ = udp.Close() // unused
		return nil, err
	}
	lis, err := kcpgo.ServeConn(cfg.Block, cfg.DataShards, cfg.ParityShards, g)
	if err != nil {
		_ = udp.Close() // unused
		return nil, err
	}
	l := &Listener{kcp: lis, gate: g, cfg: cfg, o: o}
	l.queue = accept.NewQueue(func() { _ = g.Close() }) // ends run
	go l.run()
	return l, nil
}

// Accept implements [net.Listener]. The handshake of the connection is not done
// yet, see [socket.Handshaker].
func (l *Listener) Accept() (net.Conn, error) {
	c, err := l.queue.Accept()
	if err != nil {
		return nil, err
	}
	if l.o.TLS != nil {
		return tls.Server(c, l.o.TLS), nil
	}
	return c, nil
}

// Addr implements [net.Listener].
func (l *Listener) Addr() net.Addr { return l.gate.LocalAddr() }

// Close implements [net.Listener]. Accepted connections go on and use the UDP
// socket, so the address is in use until they have ended.
func (l *Listener) Close() error { return l.queue.Close() }

// run accepts the sessions of kcp-go, one for each address that the gate lets in. It
// goes on after Close until the last connection has ended.
func (l *Listener) run() {
	strangers := make(chan struct{}, MaxHalfOpen) // with a key the gate does not count
	for failed := 0; failed < 64; {
		s, err := l.kcp.AcceptKCP()
		if err != nil {
			// The socket is closed. kcp-go chooses at random between saying so and
			// returning sessions that are left.
			failed++
			continue
		}
		f := s.RemoteAddr().(*flow)
		if !l.queue.Add() {
			l.gate.move(f, stageEnded)
			_ = s.Close() // not accepted
			continue
		}
		if !l.gate.move(f, stageHalfOpen) {
			_ = s.Close() // its address has begun another one meanwhile
			l.queue.Ended()
			continue
		}
		l.cfg.tune(s, l.o)
		s.SetWindowSize(l.cfg.SendWindow, halfOpenWindow)
		strangers <- struct{}{}
		go func() {
			l.greet(newConn(s, l.cfg, keepAlive(l.o), func() {
				l.gate.move(f, stageEnded) // unless it has another session by now
				l.queue.Ended()
			}))
			<-strangers
		}()
	}
}

// greet offers a connection to Accept once something can be read from it, as from
// every real client. Otherwise it may come from a late packet only.
func (l *Listener) greet(c *Conn) {
	_ = c.SetReadDeadline(time.Now().Add(greetTime)) // the read reports it
	heard := make(chan error, 1)
	go func() { heard <- c.awaitFirst() }()
	var err error
	select {
	case err = <-heard:
	case <-l.queue.Done():
		err = net.ErrClosed
	}
	if err != nil || !l.gate.move(c.flow, stageOpen) {
		_ = c.Close() // ends awaitFirst
		return
	}
	_ = c.SetReadDeadline(time.Time{}) // the next read reports it
	c.kcp.SetWindowSize(l.cfg.SendWindow, l.cfg.ReceiveWindow)
	if !l.queue.Offer(c, nil) {
		_ = c.Close() // not accepted
	}
}

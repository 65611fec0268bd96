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

// A Listener accepts connections over KCP, from peers of ours and of erpc v7. Its UDP
// socket lasts as long as they do.
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
		_ = udp.Close() // not used
		return nil, err
	}
	lis, err := kcpgo.ServeConn(cfg.Block, cfg.DataShards, cfg.ParityShards, g)
	if err != nil {
		_ = udp.Close() // not used
		return nil, err
	}
	l := &Listener{kcp: lis, gate: g, cfg: cfg, o: o}
	l.queue = accept.NewQueue(func() { _ = g.Close() }) // ends run
	go l.run()
	return l, nil
}

// Accept implements [net.Listener]. The handshake of what it returns is not done
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

// Close implements [net.Listener]. What was accepted goes on, and needs the UDP
// socket: the address is free when that has ended, too.
func (l *Listener) Close() error { return l.queue.Close() }

// run takes the sessions of kcp-go, which has one for each address that the gate lets
// in. It goes on after Close, as long as connections do.
func (l *Listener) run() {
	strangers := make(chan struct{}, MaxHalfOpen) // with a key the gate counts nobody
	for failed := 0; failed < 64; {
		s, err := l.kcp.AcceptKCP()
		if err != nil {
			// The socket is closed. kcp-go chooses by chance whether it says so
			// or hands out what is left.
			failed++
			continue
		}
		f := s.RemoteAddr().(*flow)
		if !l.queue.Add() {
			l.gate.move(f, stageEnded)
			_ = s.Close() // nobody wants it
			continue
		}
		if !l.gate.move(f, stageHalfOpen) {
			_ = s.Close() // its address has begun another one since
			l.queue.Ended()
			continue
		}
		l.cfg.tune(s, l.o)
		s.SetWindowSize(l.cfg.SendWindow, halfOpenWindow)
		strangers <- struct{}{}
		go func() {
			l.greet(newConn(s, l.cfg, keepAlive(l.o), func() {
				l.gate.move(f, stageEnded) // or it has another session by now
				l.queue.Ended()
			}))
			<-strangers
		}()
	}
}

// greet hands out a connection once something can be read from it, as from every
// client. Without that it may be no more than a late packet.
func (l *Listener) greet(c *Conn) {
	_ = c.SetReadDeadline(time.Now().Add(greetTime)) // the read says
	heard := make(chan error, 1)
	go func() { heard <- c.awaitFirst() }()
	var err error
	select {
	case err = <-heard:
	case <-l.queue.Done():
		err = net.ErrClosed
	}
	if err != nil || !l.gate.move(c.flow, stageOpen) {
		_ = c.Close() // which ends awaitFirst
		return
	}
	_ = c.SetReadDeadline(time.Time{}) // the next read says
	c.kcp.SetWindowSize(l.cfg.SendWindow, l.cfg.ReceiveWindow)
	if !l.queue.Offer(c, nil) {
		_ = c.Close() // nobody wants it
	}
}

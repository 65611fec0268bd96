package kcp

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"

	kcpgo "github.com/xtaci/kcp-go/v5"

	"github.com/goerpc/erpc/socket"
)

// A Listener accepts connections over KCP, from peers of ours and of erpc v7.
type Listener struct {
	kcp      *kcpgo.Listener
	gate     *gate
	cfg      Config
	o        *socket.Options
	accepted chan *Conn
	closing  context.Context
	close    context.CancelFunc

	mu   sync.Mutex // guards the following
	open int        // connections; the UDP socket lasts as long as they
	done bool       // closed
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
	l := &Listener{kcp: lis, gate: g, cfg: cfg, o: o, accepted: make(chan *Conn)}
	l.closing, l.close = context.WithCancel(context.Background())
	go l.run()
	return l, nil
}

// Accept implements [net.Listener]. The handshake of what it returns is not done
// yet, see [socket.Handshaker].
func (l *Listener) Accept() (net.Conn, error) {
	if l.closing.Err() != nil {
		return nil, net.ErrClosed
	}
	select {
	case c := <-l.accepted:
		if l.o.TLS != nil {
			return tls.Server(c, l.o.TLS), nil
		}
		return c, nil
	case <-l.closing.Done():
		return nil, net.ErrClosed
	}
}

// Addr implements [net.Listener].
func (l *Listener) Addr() net.Addr { return l.gate.LocalAddr() }

// Close implements [net.Listener]. What was accepted goes on, and needs the UDP
// socket: the address is free when that has ended, too.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done {
		return net.ErrClosed
	}
	l.done = true
	l.close()
	l.freeLocked()
	return nil
}

// freeLocked gives up the UDP socket if nobody needs it, which ends run.
func (l *Listener) freeLocked() {
	if l.done && l.open == 0 {
		_ = l.gate.Close() // closed once
	}
}

// add counts a connection; false if the listener is closed.
func (l *Listener) add() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.done {
		l.open++
	}
	return !l.done
}

func (l *Listener) ended() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	l.freeLocked()
}

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
		if !l.add() {
			l.gate.move(f, stageEnded)
			_ = s.Close() // nobody wants it
			continue
		}
		if !l.gate.move(f, stageHalfOpen) {
			_ = s.Close() // its address has begun another one since
			l.ended()
			continue
		}
		l.cfg.tune(s, l.o)
		s.SetWindowSize(l.cfg.SendWindow, halfOpenWindow)
		strangers <- struct{}{}
		go func() {
			l.greet(newConn(s, l.cfg, keepAlive(l.o), func() {
				l.gate.move(f, stageEnded) // or it has another session by now
				l.ended()
			}))
			<-strangers
		}()
	}
}

// greet hands out a connection once something can be read from it, as from every
// client. Without that it may be no more than a late packet.
func (l *Listener) greet(c *Conn) {
	stop := context.AfterFunc(l.closing, func() { _ = c.Close() }) // or else greet has
	_ = c.SetReadDeadline(time.Now().Add(greetTime))               // the read says
	err := c.awaitFirst()
	if !stop() || err != nil || !l.gate.move(c.flow, stageOpen) {
		_ = c.Close() // maybe again
		return
	}
	_ = c.SetReadDeadline(time.Time{}) // the next read says
	c.kcp.SetWindowSize(l.cfg.SendWindow, l.cfg.ReceiveWindow)
	select {
	case l.accepted <- c:
	case <-l.closing.Done():
		_ = c.Close() // nobody wants it
	}
}

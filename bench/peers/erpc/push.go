package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"

	"github.com/goerpc/erpc/bench/rig"
)

func servePush(push func(erpc.Peer, []byte) (int, error)) func(rig.Config) (*rig.Server, error) {
	return func(c rig.Config) (*rig.Server, error) {
		p, err := listen(c, defaults(), nothing)
		if err != nil {
			return nil, err
		}
		return &rig.Server{Push: func(body []byte) (int, error) { return push(p, body) }}, nil
	}
}

func broadcast(p erpc.Peer, body []byte) (int, error) {
	sent, failed := p.Broadcast(pathPush, body)
	for id, st := range failed {
		return sent, errors.New("erpc: session " + id + ": " + st.String())
	}
	return sent, nil
}

// broadcastToAll is broadcast where sessions may leave meanwhile.
func broadcastToAll(p erpc.Peer, body []byte) (int, error) {
	sent, failed := p.Broadcast(pathPush, body)
	for id, st := range failed {
		if st.Code() != erpc.CodeConnClosed {
			return sent, errors.New("erpc: session " + id + ": " + st.String())
		}
	}
	return sent, nil
}

func pushEach(p erpc.Peer, body []byte) (sent int, err error) {
	p.RangeSession(func(s erpc.Session) bool {
		if st := s.Push(pathPush, body); !st.OK() {
			err = errors.New(st.String())
			return false
		}
		sent++
		return true
	})
	return sent, err
}

func dialPush(c rig.Config) (*rig.Client, error) {
	_, err := sessions(c, defaults(), handlePush)
	return &rig.Client{}, err
}

// Sessions join in several places, each of which waits for one at a time.
const (
	joinsPerSecond = 1000
	doors          = 20
)

// dialChurn is dialPush and, beside the sessions that stay, others that join and
// leave until the process ends.
func dialChurn(c rig.Config) (*rig.Client, error) {
	if _, err := sessions(c, defaults(), handlePush); err != nil {
		return nil, err
	}
	guests, err := newPeer(c, defaults())
	if err != nil {
		return nil, err
	}
	if err := handlePush(guests, c); err != nil {
		return nil, err
	}
	var joined atomic.Uint64
	for range doors {
		go func() {
			fmt.Fprintln(os.Stderr, "erpc: nobody joins any more:", comeAndGo(guests, c.Addr, doors*time.Second/joinsPerSecond, &joined))
		}()
	}
	return &rig.Client{Joined: joined.Load}, nil
}

// comeAndGo has a session join every so often, and leave when the next one is due.
func comeAndGo(p erpc.Peer, addr string, every time.Duration, joined *atomic.Uint64) error {
	for due := time.Now(); ; due = due.Add(every) {
		time.Sleep(time.Until(due))
		s, st := p.Dial(addr)
		if !st.OK() {
			return st.Err()
		}
		joined.Add(1)
		time.Sleep(time.Until(due.Add(every)))
		if err := s.Close(); err != nil {
			return err
		}
	}
}

func handlePush(p erpc.Peer, c rig.Config) error {
	erpc.HandlePush(p, pathPush, func(_ context.Context, b *[]byte) error {
		c.OnPush(*b)
		return nil
	})
	return nil
}

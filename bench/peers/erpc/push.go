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

// joinsPerSecond is how many guests join each second. They come through c.Conns doors,
// each of which lets in one at a time.
const joinsPerSecond = 1000

// dialGuests has sessions join and leave until the process ends. A guest has joined once
// the first push has reached it. The sessions that stay are those of another process: a
// thousand goroutines that receive as fast as they can leave each other, and a door
// among them, waiting for a processor for a second, whatever the server does.
func dialGuests(c rig.Config) (*rig.Client, error) {
	var joined atomic.Uint64
	every := time.Duration(c.Conns) * time.Second / joinsPerSecond
	for range c.Conns {
		d, err := newDoor(c)
		if err != nil {
			return nil, err
		}
		go func() {
			fmt.Fprintln(os.Stderr, "erpc: nobody joins any more:", d.comeAndGo(every, &joined))
		}()
	}
	return &rig.Client{Joined: joined.Load}, nil
}

// A door lets in one guest at a time.
type door struct {
	peer   erpc.Peer
	addr   string
	pushed chan string // of capacity 1: the id of a session that a push has reached
}

func newDoor(c rig.Config) (*door, error) {
	p, err := newPeer(c, defaults())
	if err != nil {
		return nil, err
	}
	d := &door{peer: p, addr: c.Addr, pushed: make(chan string, 1)}
	erpc.HandlePush(p, pathPush, func(ctx context.Context, b *[]byte) error {
		c.OnPush(*b)
		select {
		case d.pushed <- erpc.PushCtxFrom(ctx).Session().ID():
		default:
		}
		return nil
	})
	return d, nil
}

// comeAndGo has a guest join every so often, and leave when the next one is due.
func (d *door) comeAndGo(every time.Duration, joined *atomic.Uint64) error {
	for due := time.Now(); ; due = due.Add(every) {
		time.Sleep(time.Until(due))
		s, st := d.peer.Dial(d.addr)
		if !st.OK() {
			return st.Err()
		}
		if err := d.await(s); err != nil {
			return err
		}
		joined.Add(1)
		time.Sleep(time.Until(due.Add(every)))
		if err := s.Close(); err != nil {
			return err
		}
	}
}

// await waits for the first push to a guest. One to the guest before it may still be
// noted.
func (d *door) await(guest erpc.Session) error {
	for {
		select {
		case id := <-d.pushed:
			if id == guest.ID() {
				return nil
			}
		case <-guest.CloseNotify():
			return errors.New("erpc: the session has ended before a push came")
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

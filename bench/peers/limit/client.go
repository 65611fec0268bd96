package main

import (
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/goerpc/erpc/bench/rig"
	"github.com/goerpc/erpc/bench/rig/benchpb"
)

func dial(c rig.Config) (*rig.Client, error) {
	if c.Workload == rig.Push {
		return &rig.Client{}, dialPush(c)
	}
	all := make([]*client, c.Conns)
	for i := range all {
		conn, err := rig.Connect(c)
		if err != nil {
			return nil, err
		}
		all[i] = &client{conn: conn}
		go all[i].read()
	}
	return &rig.Client{NewCaller: func(i int) func() error { return all[i%len(all)].caller(c) }}, nil
}

// A client is one connection. Each caller keeps its slot, so that no table of
// pending calls has to be locked.
type client struct {
	conn  net.Conn
	slots atomic.Pointer[[]*slot] // copied when a caller is added

	mu       sync.Mutex // guards the following
	out      []byte     // frames to write
	spare    []byte     // what the leader wrote last, to be filled again
	leading  bool       // somebody writes
	inFlight int        // calls without a reply
	dead     error
}

// A caller waits on its slot.
type slot struct {
	wake  chan error // of capacity 1
	reply *benchpb.Message
}

func (c *client) caller(config rig.Config) func() error {
	s := &slot{wake: make(chan error, 1)}
	c.mu.Lock()
	var all []*slot
	if old := c.slots.Load(); old != nil {
		all = append(all, *old...)
	}
	n := uint32(len(all))
	all = append(all, s)
	c.slots.Store(&all)
	c.mu.Unlock()

	req := benchpb.NewRequest()
	req.Pad(config.Pad)
	tag := n << 16
	var frame []byte
	return func() (err error) {
		tag++
		req.Tag(tag)
		frame, err = (proto.MarshalOptions{}).MarshalAppend(appendHead(frame[:0]), req)
		if err != nil {
			return err
		}
		setHead(frame, n)
		if err := c.send(frame); err != nil {
			return err
		}
		if err := <-s.wake; err != nil {
			return err
		}
		return s.reply.Check(tag)
	}
}

// send queues a frame. If no other goroutine is writing, it writes until the
// queue is empty.
func (c *client) send(frame []byte) error {
	c.mu.Lock()
	if c.dead != nil {
		c.mu.Unlock()
		return c.dead
	}
	c.out = append(c.out, frame...)
	c.inFlight++
	if c.leading {
		c.mu.Unlock()
		return nil
	}
	c.leading = true
	alone := c.inFlight == 1
	for len(c.out) > 0 {
		c.mu.Unlock()
		if !alone {
			runtime.Gosched()
		}
		c.mu.Lock()
		b := c.out
		c.out = c.spare[:0]
		c.mu.Unlock()
		_, err := c.conn.Write(b)
		c.mu.Lock()
		c.spare = b
		if err != nil {
			c.dead = err
			c.mu.Unlock()
			_ = c.conn.Close() // ends read, which wakes everybody, this caller among them
			return nil
		}
	}
	c.leading = false
	c.mu.Unlock()
	return nil
}

// read decodes replies and wakes their callers until the connection ends.
func (c *client) read() {
	err := c.readReplies()
	c.mu.Lock()
	if c.dead == nil {
		c.dead = err
	}
	c.mu.Unlock()
	for _, s := range *c.slots.Load() {
		select {
		case s.wake <- err:
		default:
		}
	}
}

func (c *client) readReplies() error {
	in := newFrames(c.conn)
	for {
		if err := in.fill(); err != nil {
			return fmt.Errorf("limit: %w", err)
		}
		slots := *c.slots.Load()
		n := 0
		for {
			i, body, ok := in.buffered()
			if !ok {
				break
			}
			if int(i) >= len(slots) {
				return fmt.Errorf("limit: reply to slot %d of %d", i, len(slots))
			}
			m := new(benchpb.Message)
			if err := proto.Unmarshal(body, m); err != nil {
				return fmt.Errorf("limit: %w", err)
			}
			s := slots[i]
			s.reply = m
			s.wake <- nil
			n++
		}
		c.mu.Lock()
		c.inFlight -= n
		c.mu.Unlock()
	}
}

// dialPush opens the sessions that count what is pushed to them.
func dialPush(c rig.Config) error {
	for range c.Conns {
		conn, err := net.Dial("tcp", c.Addr)
		if err != nil {
			return err
		}
		go func() {
			in := newFrames(conn)
			for {
				for {
					_, body, ok := in.buffered()
					if !ok {
						break
					}
					c.OnPush(body)
				}
				if err := in.fill(); err != nil {
					report(err)
					return
				}
			}
		}()
	}
	return nil
}

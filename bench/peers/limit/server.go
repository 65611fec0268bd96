package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/goerpc/erpc/bench/rig"
	"github.com/goerpc/erpc/bench/rig/benchpb"
)

func serve(c rig.Config) (*rig.Server, error) {
	var all conns
	if err := accept(c, func(conn net.Conn) {
		if c.Workload == rig.Push {
			all.add(conn)
			return
		}
		report(answer(conn))
	}); err != nil {
		return nil, err
	}
	return &rig.Server{Push: all.push}, nil
}

// accept calls handle for each connection in its own goroutine.
func accept(c rig.Config, handle func(net.Conn)) error {
	l, err := rig.Listen(c)
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				report(err)
				return
			}
			go handle(conn)
		}
	}()
	return nil
}

// report prints why a connection ended. The client notices the end and fails
// the run.
func report(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// answer reads requests and writes their replies; the replies to one read are
// one write.
func answer(conn net.Conn) error {
	in := newFrames(conn)
	var out []byte
	for {
		for {
			slot, body, ok := in.buffered()
			if !ok {
				break
			}
			var m benchpb.Message
			if err := proto.Unmarshal(body, &m); err != nil {
				return err
			}
			m.Answer()
			start := len(out)
			var err error
			out, err = (proto.MarshalOptions{}).MarshalAppend(appendHead(out), &m)
			if err != nil {
				return err
			}
			setHead(out[start:], slot)
		}
		if len(out) > 0 {
			runtime.Gosched()
			if _, err := conn.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
		if err := in.fill(); err != nil {
			return err
		}
	}
}

// conns are the open connections of the push workload.
type conns struct {
	mu   sync.Mutex // guards open
	open []net.Conn

	frames []byte // of push, which one goroutine calls
}

func (c *conns) add(conn net.Conn) {
	c.mu.Lock()
	c.open = append(c.open, conn)
	c.mu.Unlock()
}

// batch is how many messages push puts into one write.
const batch = 16

// push sends body batch times to every connection, with one write each, from
// as many goroutines as there are processors.
func (c *conns) push(body []byte) (int, error) {
	if c.frames == nil {
		for range batch {
			start := len(c.frames)
			c.frames = append(appendHead(c.frames), body...)
			setHead(c.frames[start:], 0)
		}
	}
	c.mu.Lock()
	open := c.open
	c.mu.Unlock()
	n := runtime.GOMAXPROCS(0)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for g := range n {
		wg.Go(func() {
			for i := g; i < len(open); i += n {
				if _, err := open[i].Write(c.frames); err != nil {
					errs[g] = err
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return batch * len(open), nil
}

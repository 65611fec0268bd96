package main

import (
	"io"
	"net"
)

// A peer is one thing to measure.
type peer struct {
	name  string
	only  string // the one test that it has; empty: all
	start func() (client, error)
}

// The first peer is the limit for large messages.
var peers = []peer{
	{name: ioCopy, only: oneWayLarge, start: startCopy},
	{name: erpcBytes, start: startERPC},
	{name: "erpc, protobuf", start: startERPCProto},
	{name: "grpc-go", start: startGRPC},
	{name: "connect-go", start: startConnect},
	{name: "drpc", start: startDRPC},
}

const (
	ioCopy    = "io.Copy"
	erpcBytes = "erpc"
)

// startCopy does the same work without a framework: io.Copy on both sides of a
// connection.
func startCopy() (client, error) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return client{}, err
	}
	open := func(string) (stream, error) {
		arrived := make(chan int64, 1)
		go func() {
			c, err := lis.Accept()
			if err != nil {
				close(arrived)
				return
			}
			defer c.Close()
			n, _ := io.Copy(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}) // what has arrived tells
			arrived <- n
		}()
		c, err := net.Dial("tcp", lis.Addr().String())
		if err != nil {
			return nil, err
		}
		return &copied{c, arrived}, nil
	}
	return client{open, func() { _ = lis.Close() }}, nil // it only stops listening
}

// copied is a connection that is read by io.Copy on the other side.
type copied struct {
	c       net.Conn
	arrived chan int64
}

func (c *copied) send(b []byte) error {
	_, err := c.c.Write(b) // io.Copy writes whole buffers
	return err
}

func (c *copied) closeSend() error { return c.c.Close() }

func (c *copied) recv() ([]byte, error) {
	n, ok := <-c.arrived
	if !ok {
		return nil, io.EOF
	}
	close(c.arrived)
	return bigEndian(uint64(n / large)), nil
}

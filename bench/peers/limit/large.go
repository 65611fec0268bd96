package main

import (
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/goerpc/erpc/bench/rig"
)

func serveCopy(c rig.Config) (*rig.Server, error) {
	return &rig.Server{}, accept(c, func(conn net.Conn) { report(echoCopy(conn)) })
}

func serveStore(c rig.Config) (*rig.Server, error) {
	return &rig.Server{}, accept(c, func(conn net.Conn) { report(echoStore(conn, c.Size)) })
}

// echoCopy copies received bytes back to the connection. The kernel may do this
// without copying the bytes to the process.
func echoCopy(conn net.Conn) error {
	_, err := io.Copy(conn, conn)
	return err
}

// echoStore reads each body completely before it sends it back.
func echoStore(conn net.Conn, size int) error {
	for {
		body := make([]byte, size) // a new one, as a handler gets it
		if _, err := io.ReadFull(conn, body); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if _, err := conn.Write(body); err != nil {
			return err
		}
	}
}

func dialCopy(c rig.Config) (*rig.Client, error) { return dialLarge(c, exchangeCopy) }

func dialStore(c rig.Config) (*rig.Client, error) { return dialLarge(c, exchangeStore) }

// exchangeCopy reads the reply while it is still writing the request.
func exchangeCopy(conn net.Conn, out, in []byte) error {
	written := make(chan error, 1)
	go func() {
		_, err := conn.Write(out)
		written <- err
	}()
	_, err := io.ReadFull(conn, in)
	return errors.Join(<-written, err)
}

// exchangeStore writes the request and then reads the reply.
func exchangeStore(conn net.Conn, out, in []byte) error {
	if _, err := conn.Write(out); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, in)
	return err
}

// dialLarge returns callers with a connection each, who get each reply in a
// new body.
func dialLarge(c rig.Config, exchange func(conn net.Conn, out, in []byte) error) (*rig.Client, error) {
	return &rig.Client{NewCaller: func(int) func() error {
		out := rig.NewBody(c.Size)
		conn, err := net.Dial("tcp", c.Addr)
		if err != nil {
			return func() error { return fmt.Errorf("limit: %w", err) }
		}
		return func() error {
			in := make([]byte, c.Size)
			if err := exchange(conn, out, in); err != nil {
				return err
			}
			return rig.CheckBody(in, c.Size)
		}
	}}, nil
}

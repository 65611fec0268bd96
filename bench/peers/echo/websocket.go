package main

import (
	"context"
	"fmt"
	"net"
	"net/http"

	coder "github.com/coder/websocket"
	gorilla "github.com/gorilla/websocket"

	"github.com/goerpc/erpc/bench/rig"
)

// serveHTTP serves on the address of c.
func serveHTTP(c rig.Config, handle http.HandlerFunc) (*rig.Server, error) {
	l, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return nil, err
	}
	go func() { report(http.Serve(l, handle)) }()
	return &rig.Server{}, nil
}

func oneEach(c rig.Config) error {
	if c.Conns != c.Callers {
		return fmt.Errorf("echo: %d callers on %d connections; give each its own", c.Callers, c.Conns)
	}
	return nil
}

type gorillaLink struct{ conn *gorilla.Conn }

func (l gorillaLink) write(b []byte) error { return l.conn.WriteMessage(gorilla.BinaryMessage, b) }

func (l gorillaLink) read() ([]byte, error) {
	_, b, err := l.conn.ReadMessage()
	return b, err
}

func serveGorilla(c rig.Config) (*rig.Server, error) {
	var up gorilla.Upgrader
	return serveHTTP(c, func(w http.ResponseWriter, r *http.Request) {
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			report(err)
			return
		}
		report(serveLink(gorillaLink{conn}))
	})
}

func dialGorilla(c rig.Config) (*rig.Client, error) {
	if err := oneEach(c); err != nil {
		return nil, err
	}
	var links []link
	for range c.Conns {
		conn, _, err := gorilla.DefaultDialer.Dial("ws://"+c.Addr, nil)
		if err != nil {
			return nil, err
		}
		links = append(links, gorillaLink{conn})
	}
	return callers(links), nil
}

type coderLink struct{ conn *coder.Conn }

func (l coderLink) write(b []byte) error {
	return l.conn.Write(context.Background(), coder.MessageBinary, b)
}

func (l coderLink) read() ([]byte, error) {
	_, b, err := l.conn.Read(context.Background())
	return b, err
}

func serveCoder(c rig.Config) (*rig.Server, error) {
	return serveHTTP(c, func(w http.ResponseWriter, r *http.Request) {
		conn, err := coder.Accept(w, r, nil)
		if err != nil {
			report(err)
			return
		}
		report(serveLink(coderLink{conn}))
	})
}

func dialCoder(c rig.Config) (*rig.Client, error) {
	if err := oneEach(c); err != nil {
		return nil, err
	}
	var links []link
	for range c.Conns {
		conn, _, err := coder.Dial(context.Background(), "ws://"+c.Addr, nil)
		if err != nil {
			return nil, err
		}
		links = append(links, coderLink{conn})
	}
	return callers(links), nil
}

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/quic-go/quic-go"

	"github.com/goerpc/erpc/bench/rig"
)

const (
	headLen = 4       // the length of a message, little endian
	maxBody = 1 << 20 // bytes of a message
)

// A quicLink frames messages on a stream.
type quicLink struct {
	stream *quic.Stream
	in     *bufio.Reader
	out, b []byte
}

func newQUICLink(s *quic.Stream) *quicLink { return &quicLink{stream: s, in: bufio.NewReader(s)} }

func (l *quicLink) write(b []byte) error {
	l.out = append(binary.LittleEndian.AppendUint32(l.out[:0], uint32(len(b))), b...)
	_, err := l.stream.Write(l.out)
	return err
}

func (l *quicLink) read() ([]byte, error) {
	var head [headLen]byte
	if _, err := io.ReadFull(l.in, head[:]); err != nil {
		return nil, err
	}
	n := int(binary.LittleEndian.Uint32(head[:]))
	if n > maxBody {
		return nil, fmt.Errorf("echo: a message of %d bytes", n)
	}
	if n > cap(l.b) {
		l.b = make([]byte, n)
	}
	l.b = l.b[:n]
	_, err := io.ReadFull(l.in, l.b)
	return l.b, err
}

// protocol is that of the TLS handshake.
const protocol = "bench"

func config() *quic.Config { return &quic.Config{MaxIncomingStreams: 10_000} }

func serveQUIC(c rig.Config) (*rig.Server, error) {
	t, err := rig.ServerTLS()
	if err != nil {
		return nil, err
	}
	t.NextProtos = []string{protocol}
	l, err := quic.ListenAddr(c.Addr, t, config())
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := l.Accept(context.Background())
			if err != nil {
				report(err)
				return
			}
			go func() { report(serveStreams(conn)) }()
		}
	}()
	return &rig.Server{}, nil
}

func serveStreams(conn *quic.Conn) error {
	for {
		s, err := conn.AcceptStream(context.Background())
		if err != nil {
			return err
		}
		go func() { report(serveLink(newQUICLink(s))) }()
	}
}

func dialQUIC(c rig.Config) (*rig.Client, error) {
	t := rig.ClientTLS()
	t.NextProtos = []string{protocol}
	conn, err := quic.DialAddr(context.Background(), c.Addr, t, config())
	if err != nil {
		return nil, err
	}
	var links []link
	for range c.Callers {
		s, err := conn.OpenStreamSync(context.Background())
		if err != nil {
			return nil, err
		}
		links = append(links, newQUICLink(s))
	}
	return callers(links), nil
}

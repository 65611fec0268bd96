//go:build linux

package attack

import (
	"bytes"
	"crypto/tls"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/kcp"
	"github.com/goerpc/erpc/socket/quic"
	"github.com/goerpc/erpc/socket/websocket"
)

// A way is how a client reaches a door, and what it speaks there.
type way struct {
	door, network string
	transport     socket.Transport
	secure        bool
	protocol      erpc.ProtoFunc
}

// ways are those of all doors.
func ways() []way {
	tcp, ws := socket.Stream{}, websocket.Transport{}
	thrift := thriftproto.NewStockProtoFunc(thriftproto.StockConfig{Mapper: erpc.HTTPServiceMethodMapper})
	return []way{
		{"raw", "tcp", tcp, false, rawproto.New},
		{"json", "tcp", tcp, false, jsonproto.New},
		{"pb", "tcp", tcp, false, pbproto.New},
		{"thrift", "tcp", tcp, false, thrift},
		{"http", "tcp", tcp, false, httproto.NewHTTProtoFunc()},
		{"mux", "tcp", tcp, false, rawproto.New},
		{"tls", "tcp", tcp, true, rawproto.New},
		{"https", "tcp", tcp, true, httproto.NewHTTProtoFunc()},
		{"websocket, 10 sessions", "ws", ws, false, rawproto.New},
		{"wss", "wss", ws, true, rawproto.New},
		{"quic", "quic", &quic.Transport{}, true, rawproto.New},
		{"kcp", "kcp", kcp.Transport{}, false, rawproto.New},
	}
}

// rubbish begins no message of any protocol, nor a request of HTTP.
const rubbish = "\x00\x00\x00\x20\x0f" + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\r\n\r\n"

// malformed are attacks with a connection for each message that breaks the protocol:
// what one connection may make of log says little then.
func malformed() (all []attack) {
	for _, w := range ways() {
		all = append(all, attack{
			class: "log", name: "a connection for each malformed message", door: w.door,
			most: cost{48 << 20, sized(10*time.Second, 60*time.Second), 6 << 10},
			run:  func(s *stranger) { s.breakEach(w, sized(100, 1000)) },
		})
	}
	return all
}

// breakEach opens n connections, a few at a time, breaks the protocol on each, and
// waits for its end.
func (s *stranger) breakEach(w way, n int) {
	s.Helper()
	o := &socket.Options{}
	if w.secure {
		o.TLS = &tls.Config{InsecureSkipVerify: true}
	}
	// A message, so that the connection gets as far as to a session, and then none.
	codec := byte('j')
	if w.door == "thrift" {
		codec = 't'
	}
	bad := append(s.frame(w.protocol, erpc.TypeCall, "/nothing", codec, []byte{0}), rubbish...)
	places := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for range n {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			conn, err := w.transport.Dial(s.Context(), w.network, s.child.addr, o)
			if err != nil {
				s.Errorf("dial: %v", err)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(patience)) // the read reports it
			c := &countingConn{Conn: conn, sent: &s.sent}
			if _, err := c.Write(bad); err != nil {
				return // it may have ended
			}
			var back bytes.Buffer
			if _, err := io.Copy(&back, conn); err != nil && isTimeout(err) {
				s.Errorf("a connection that has broken the protocol goes on; it said %q", back.Bytes())
			}
		})
	}
	wg.Wait()
	if first := s.child.log.head(); !strings.Contains(first, "connection ended") {
		s.breaks("the log does not say why connections ended: %s", first)
	}
}

package websocket

import (
	"net"
	"net/http"
	"net/netip"

	"github.com/coder/websocket"
)

// A Handler upgrades requests and hands the connections to Serve, each on the
// goroutine of its request. The connection is closed when Serve returns, so
// Serve must stay for as long as it is used.
type Handler struct {
	Config Config
	Serve  func(conn net.Conn, r *http.Request)
}

var _ http.Handler = (*Handler)(nil)

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.Config.allowed(r) {
		http.Error(w, "pages of this origin may not connect", http.StatusForbidden)
		return
	}
	var tag any
	if h.Config.Check != nil {
		var ok bool
		if tag, ok = h.Config.Check(w, r); !ok {
			return
		}
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // allowed has looked
		CompressionMode:    h.Config.compression(),
		Subprotocols:       []string{Subprotocol},
	})
	if err != nil {
		return // Accept has answered
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local == nil {
		local = addr(r.Host)
	}
	conn := newConn(ws, local, remoteAddr(r), h.Config)
	conn.tag = tag
	conn.token, conn.hasToken = credentials(r)
	defer conn.Close()
	h.Serve(conn, r)
}

// remoteAddr is the address of the client, as net/http tells it.
func remoteAddr(r *http.Request) net.Addr {
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return net.TCPAddrFromAddrPort(a)
	}
	return addr(r.RemoteAddr)
}

// An addr is an address as an HTTP request tells it.
type addr string

func (addr) Network() string  { return "websocket" }
func (a addr) String() string { return string(a) }

package websocket

import (
	"net"
	"net/http"
	"net/netip"

	"github.com/coder/websocket"
)

// A Handler upgrades requests and hands the connections to Serve, each on the
// goroutine of its request. The connection is closed when Serve returns, so Serve
// must not return while it is in use.
type Handler struct {
	Config Config
	Serve  func(conn net.Conn, r *http.Request)
	// Refused, which may be nil, is called for requests that Origins or Hosts of
	// Config refuse, and for handshakes that are not valid. It is not called for
	// those that Check refuses.
	Refused func(r *http.Request, why string)

	limit int // of the peer, in bytes; 0: not known
}

// badOrigin answers a request that [Config].Origins or Hosts refuse.
const badOrigin = "websocket: pages of this origin may not connect, or not under this name"

var _ http.Handler = (*Handler)(nil)

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.Config.allowed(r) {
		h.refused(r, badOrigin)
		if !Refuse(w, r, http.StatusForbidden, badOrigin) {
			http.Error(w, badOrigin, http.StatusForbidden)
		}
		return
	}
	var tag any
	if h.Config.Check != nil {
		var ok bool
		tag, ok = h.Config.Check(w, r)
		if !ok {
			return
		}
	}
	ws, err := websocket.Accept(announced{w, h.Config.readLimit(h.limit)}, r, &websocket.AcceptOptions{
		InsecureSkipVerify: true, // allowed has checked the origin
		Subprotocols:       append(h.Config.Protocols[:len(h.Config.Protocols):len(h.Config.Protocols)], Subprotocol),
		CompressionMode:    h.Config.compression(),
	})
	if err != nil { // Accept has answered
		h.refused(r, err.Error())
		return
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local == nil {
		local = addr(r.Host)
	}
	conn := newConn(ws, local, remoteAddr(r), h.Config, h.limit)
	conn.tag = tag
	conn.token, conn.hasToken = credentials(r)
	defer conn.Close()
	h.Serve(conn, r)
}

// refused reports a request that is refused, unless it does not ask for WebSocket at
// all, such as one for a page.
func (h *Handler) refused(r *http.Request, why string) {
	if h.Refused != nil && r.Header.Get("Upgrade") != "" {
		h.Refused(r, why)
	}
}

// remoteAddr is the address of the client, as net/http gives it.
func remoteAddr(r *http.Request) net.Addr {
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return net.TCPAddrFromAddrPort(a)
	}
	return addr(r.RemoteAddr)
}

// An addr is an address as an HTTP request gives it.
type addr string

func (addr) Network() string  { return "websocket" }
func (a addr) String() string { return string(a) }

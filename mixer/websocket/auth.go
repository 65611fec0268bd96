package websocket

import (
	"net"
	"net/http"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/socket/websocket"
)

// A Checker accepts or refuses the request of a handshake. It returns the id
// for the session ("" keeps the default), or the status to refuse the request
// with. The code of that status becomes the HTTP status code if it is one.
type Checker func(r *http.Request) (id string, st *erpc.Status)

// An Acceptor is called with a session whose handshake was accepted. If it
// returns a failed status, the session ends.
type Acceptor func(sess erpc.Session) *erpc.Status

// A HandshakeAuthPlugin authenticates clients by the HTTP request of their
// handshake. Give it to the peer behind a [Server] or handler of this package.
type HandshakeAuthPlugin struct {
	check  Checker
	accept Acceptor
}

var _ erpc.PostAcceptPlugin = (*HandshakeAuthPlugin)(nil)

// NewHandshakeAuthPlugin returns the plugin; accept may be nil.
func NewHandshakeAuthPlugin(check Checker, accept Acceptor) *HandshakeAuthPlugin {
	return &HandshakeAuthPlugin{check, accept}
}

// Name implements [erpc.Plugin].
func (*HandshakeAuthPlugin) Name() string { return "websocket-handshake-auth" }

// Token returns the token of a handshake, or "" if there is none: the Bearer
// token of the Authorization header, or the token that getToken of clients/js
// has returned.
func Token(r *http.Request) string {
	token, _ := websocket.Token(r)
	return token
}

// sessionID is the tag of a connection whose handshake was accepted.
type sessionID string

// PostAccept gives the session the id that the checker found. A connection that
// did not come through a handshake is refused.
func (*HandshakeAuthPlugin) PostAccept(sess erpc.PreSession) *erpc.Status {
	st := erpc.NewStatusByCodeText(erpc.CodeUnauthorized, "websocket: not connected by a handshake", false)
	sess.ModifySocket(func(conn net.Conn) (net.Conn, erpc.ProtoFunc) {
		if id, ok := websocket.Tag(conn).(sessionID); ok {
			st = nil
			if id != "" {
				sess.SetID(string(id))
			}
		}
		return nil, nil // both stay unchanged
	})
	return st
}

// authOf returns the HandshakeAuthPlugin of p, or nil if it has none.
func authOf(p erpc.Peer) *HandshakeAuthPlugin {
	for _, plugin := range p.PluginContainer().GetAll() {
		if a, ok := plugin.(*HandshakeAuthPlugin); ok {
			return a
		}
	}
	return nil
}

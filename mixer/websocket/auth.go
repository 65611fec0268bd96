package websocket

import (
	"net"
	"net/http"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/socket/websocket"
)

// A Checker decides about the request of a handshake. It returns the id of the
// session, "" to leave it as it is, or the status to refuse with, whose code
// becomes that of HTTP where it is one.
type Checker func(r *http.Request) (id string, st *erpc.Status)

// An Acceptor is told of a session whose handshake was allowed. A failed status
// ends it.
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

// Token returns the token of a handshake: that of the field Authorization with the
// scheme Bearer, or the one that getToken of clients/js has returned. It is "" if there
// is none.
func Token(r *http.Request) string {
	token, _ := websocket.Token(r)
	return token
}

// sessionID is the tag of a connection that was allowed.
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
		return nil, nil // both stay what they are
	})
	return st
}

// authOf returns the plugin of this kind that p has, nil if it has none.
func authOf(p erpc.Peer) *HandshakeAuthPlugin {
	for _, plugin := range p.PluginContainer().GetAll() {
		if a, ok := plugin.(*HandshakeAuthPlugin); ok {
			return a
		}
	}
	return nil
}

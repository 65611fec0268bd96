package auth

import (
	"context"
	"errors"
	"time"

	"github.com/goerpc/erpc"
)

// DefaultLoginMethod is what a client without the AUTH exchange calls to log in.
const DefaultLoginMethod = "/auth/login"

// A Via is the way in which credentials arrived.
type Via int

// The ways in which credentials arrive.
const (
	ViaExchange  Via = iota // an AUTH exchange, for example with a [Bearer]
	ViaCall                 // a CALL of [LoginConfig].Method as the first message
	ViaHandshake            // the handshake of the transport, such as the request that WebSocket begins with
)

var viaNames = [...]string{"AUTH exchange", "call", "handshake"}

// String returns the name.
func (v Via) String() string { return viaNames[v] }

// Credentials is what a client sent. The token is not checked yet and may be
// anything.
type Credentials struct {
	Token string // up to [MaxMessage] bytes
	Via   Via
}

// A LoginConfig configures [NewLogin].
type LoginConfig struct {
	// Check returns the identity that the credentials belong to, or a status that
	// refuses the session; two nils refuse it too. Check must not be nil and must
	// be safe for concurrent use. ctx ends with the timeout of the exchange. Check
	// may set the session's id.
	Check func(ctx context.Context, sess Session, c Credentials) (*Identity, *erpc.Status) `yaml:"-" ini:"-"`
	// Method is what a client without an AUTH exchange calls first, with the token
	// as a string.
	Method  string        `yaml:"method" ini:"method" comment:"What clients without an AUTH exchange call to log in; empty is /auth/login"`
	Timeout time.Duration `yaml:"timeout" ini:"timeout" comment:"Longest time of the exchange; 0s is 5s"`
	Detail  bool          `yaml:"detail" ini:"detail" comment:"Tell refused clients the cause"`
}

// NewLogin returns the plugin of the accepting side. It takes a token in
// whichever way a client can send it: in an AUTH exchange ([Token] is the other
// side), in a call as the first message, or in the handshake of its transport.
// It serves all protocols of a peer at once.
func NewLogin(cfg LoginConfig) *CheckerPlugin {
	p := &CheckerPlugin{timeout: cfg.Timeout, settings: plain(), detail: cfg.Detail}
	if cfg.Check == nil {
		p.mistake = errors.New("auth: there is no function Check; set one, or leave the plugin out to let everyone in")
	}
	method := cfg.Method
	if method == "" {
		method = DefaultLoginMethod
	}
	p.do = func(x *exchange) (any, *erpc.Status) { return logIn(x, cfg.Check, method) }
	return p
}

func logIn(x *exchange, check func(context.Context, Session, Credentials) (*Identity, *erpc.Status), method string) (any, *erpc.Status) {
	c, st := x.credentials(method)
	if !st.OK() {
		return nil, st
	}
	id, st := check(x.ctx, x, c)
	if !st.OK() {
		return nil, st
	}
	if id == nil {
		return nil, unauthorized("auth: the checker does not know these credentials")
	}
	SetIdentity(x, id)
	return "pass", nil
}

// A handshaker is a connection whose handshake may have carried a token, such
// as a connection of package socket/websocket.
type handshaker interface {
	Credentials() (token string, ok bool)
}

// credentials returns the credentials that the client sent, unchecked.
func (x *exchange) credentials(method string) (Credentials, *erpc.Status) {
	if h, ok := x.NetConn().(handshaker); ok {
		if token, shown := h.Credentials(); shown {
			x.asked = nothing
			return Credentials{token, ViaHandshake}, nil
		}
	}
	m := x.next()
	c := Credentials{Via: ViaExchange}
	if m.Mtype() == erpc.TypeCall {
		x.asked, x.call, c.Via = byCall, m, ViaCall // even if the method is wrong: the client waits for a reply
	}
	if c.Via == ViaExchange || m.ServiceMethod() != method {
		if st := x.expect(m, erpc.TypeAuthCall); !st.OK() {
			return c, st
		}
	}
	return c, decode(m, &c.Token)
}

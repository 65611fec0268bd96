package auth

import (
	"context"
	"errors"
	"time"

	"github.com/goerpc/erpc"
)

// DefaultLoginMethod is what a client without the AUTH exchange calls to log in.
const DefaultLoginMethod = "/auth/login"

// A Via is how credentials came.
type Via int

// Ways of credentials.
const (
	ViaExchange  Via = iota // an AUTH exchange, that of a [Bearer] for example
	ViaCall                 // a CALL of [LoginConfig].Method as the first message
	ViaHandshake            // the handshake of the transport, such as the request that WebSocket begins with
)

var viaNames = [...]string{"AUTH exchange", "call", "handshake"}

// String returns the name.
func (v Via) String() string { return viaNames[v] }

// Credentials are what a client shows. They were not looked at yet, so the token
// may be anything.
type Credentials struct {
	Token string // up to [MaxMessage] bytes
	Via   Via
}

// A LoginConfig configures [NewLogin].
type LoginConfig struct {
	// Check returns the identity that the credentials belong to, or why the
	// session is refused; nil and nil refuse it, too. It must not be nil. It may be called concurrently; ctx ends
	// with the time of the exchange. It may name the session.
	Check func(ctx context.Context, sess Session, c Credentials) (*Identity, *erpc.Status) `yaml:"-" ini:"-"`
	// Method is what a client that has no AUTH exchange calls first of all, with
	// the token as a text.
	Method  string        `yaml:"method" ini:"method" comment:"What clients without an AUTH exchange call to log in; empty is /auth/login"`
	Timeout time.Duration `yaml:"timeout" ini:"timeout" comment:"Longest time of the exchange; 0s is 5s"`
	Detail  bool          `yaml:"detail" ini:"detail" comment:"Tell refused clients the cause"`
}

// NewLogin returns the plugin of the side that accepts which takes a token in
// whatever way a client can show it: in an AUTH exchange ([Token] is the other
// side), in a call as the first message, or in the handshake of its transport.
// It serves all protocols of a peer at once.
func NewLogin(cfg LoginConfig) *CheckerPlugin {
	p := &CheckerPlugin{timeout: cfg.Timeout, settings: plain(), detail: cfg.Detail}
	if cfg.Check == nil {
		p.mistake = errors.New("auth: there is no function Check; set one, or leave the plugin out to let everybody in")
	}
	method := cfg.Method
	if method == "" {
		method = DefaultLoginMethod
	}
	p.do = func(x *exchange) (any, *erpc.Status) { return login(x, cfg.Check, method) }
	return p
}

func login(x *exchange, check func(context.Context, Session, Credentials) (*Identity, *erpc.Status), method string) (any, *erpc.Status) {
	c, st := x.credentials(method)
	if !st.OK() {
		return nil, st
	}
	id, st := check(x.ctx, x, c)
	if !st.OK() {
		return nil, st
	}
	if id == nil {
		return nil, unauthorized("auth: the checker knows nobody with these credentials")
	}
	SetIdentity(x, id)
	return "pass", nil
}

// A handshaker is a connection whose handshake may have carried a token, as that
// of package socket/websocket.
type handshaker interface {
	Credentials() (token string, ok bool)
}

// credentials returns what the client shows, as it came.
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
		x.asked, x.call, c.Via = byCall, m, ViaCall // whatever it calls: it waits for a reply
	}
	if c.Via == ViaExchange || m.ServiceMethod() != method {
		if st := x.expect(m, erpc.TypeAuthCall); !st.OK() {
			return c, st
		}
	}
	return c, decode(m, &c.Token)
}

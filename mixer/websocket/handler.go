package websocket

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/socket/websocket"
)

// NewJSONServeHandler returns a handler that upgrades requests to sessions of
// p, which speak the JSON sub-protocol. handshake, which may be nil, may refuse
// a request.
func NewJSONServeHandler(p erpc.Peer, handshake func(*http.Request) error) http.Handler {
	return NewServeHandler(p, handshake, jsonproto.NewSubProtoFunc())
}

// NewPbServeHandler is [NewJSONServeHandler] with the protobuf sub-protocol.
func NewPbServeHandler(p erpc.Peer, handshake func(*http.Request) error) http.Handler {
	return NewServeHandler(p, handshake, pbproto.NewSubProtoFunc())
}

// NewServeHandler is [NewJSONServeHandler] with the given protocol.
func NewServeHandler(p erpc.Peer, handshake func(*http.Request) error, protoFunc ...erpc.ProtoFunc) http.Handler {
	return newHandler(p, websocket.Config{}, handshake, protoFunc)
}

// NewHandler is [NewServeHandler] with a configuration, which says which pages
// may connect (Origins, Hosts), which WebSocket sub-protocols are offered, and
// which function accepts or refuses a request (Check).
func NewHandler(p erpc.Peer, cfg websocket.Config, protoFunc ...erpc.ProtoFunc) http.Handler {
	return newHandler(p, cfg, nil, protoFunc)
}

func newHandler(p erpc.Peer, cfg websocket.Config, handshake func(*http.Request) error, protoFunc []erpc.ProtoFunc) http.Handler {
	pf, messages := choose(protoFunc)
	cfg.Messages = messages
	if cfg.ReadLimit == 0 {
		cfg.ReadLimit = int64(p.Config().ReadLimit)
	}
	auth := authOf(p)
	before := cfg.Check
	cfg.Check = func(w http.ResponseWriter, r *http.Request) (tag any, ok bool) {
		if before != nil {
			tag, ok = before(w, r)
			if !ok {
				p.Refused(r.RemoteAddr, erpc.NewStatusByCodeText(erpc.CodeUnauthorized, "the check of the configuration refuses the request", false))
				return nil, false
			}
		}
		if handshake != nil {
			if err := handshake(r); err != nil {
				p.Refused(r.RemoteAddr, erpc.NewStatusByCodeText(erpc.CodeUnauthorized, err, false))
				if !websocket.Refuse(w, r, http.StatusForbidden, err.Error()) {
					http.Error(w, err.Error(), http.StatusForbidden)
				}
				return nil, false
			}
		}
		if auth == nil {
			return tag, true
		}
		id, st := auth.check(r)
		if !st.OK() {
			p.Refused(r.RemoteAddr, st)
			refuse(w, r, st)
			return nil, false
		}
		return sessionID(id), true
	}
	bad := func(r *http.Request, why string) {
		p.Refused(r.RemoteAddr, erpc.NewStatusByCodeText(erpc.CodeUnauthorized, why, false))
	}
	return &websocket.Handler{Config: cfg, Refused: bad, Serve: func(conn net.Conn, _ *http.Request) {
		s, st := p.ServeConn(conn, pf)
		if !st.OK() {
			awaitClose(conn)
			return
		}
		if auth != nil && auth.accept != nil {
			if st := auth.accept(s); !st.OK() {
				p.Refused(s.RemoteAddr().String(), st)
				_ = s.Close() // the session is refused
			}
		}
		<-s.CloseNotify()
		awaitClose(conn)
	}}
}

// maxClose bounds how long a handler waits for the last messages of a session.
// It is longer than the session's own limit.
const maxClose = 10 * time.Second

// awaitClose waits until an ended session has closed its connection. By then it
// has written its last messages, such as the reason of a refusal. When the
// handler returns, the HTTP server closes the connection.
func awaitClose(conn net.Conn) {
	late := time.NewTimer(maxClose) // a hook may have replaced the connection with one that does not close this one
	defer late.Stop()
	select {
	case <-websocket.Closed(conn):
	case <-late.C:
	}
}

// choose returns the protocol, and whether it is a sub-protocol.
func choose(protoFunc []erpc.ProtoFunc) (pf erpc.ProtoFunc, messages bool) {
	pf = jsonproto.NewSubProtoFunc()
	if len(protoFunc) > 0 && protoFunc[0] != nil {
		pf = protoFunc[0]
	}
	_, name := pf().Version()
	_, json := jsonproto.NewSub().Version()
	_, pb := pbproto.NewSub().Version()
	return pf, name == json || name == pb
}

// refuse answers a request with a status, as JSON. For clients that can't read
// an HTTP response to a handshake, such as browsers, it upgrades the connection
// and closes it with the status.
func refuse(w http.ResponseWriter, r *http.Request, st *erpc.Status) {
	code := int(st.Code())
	if http.StatusText(code) == "" || code < 400 {
		code = http.StatusUnauthorized
	}
	if websocket.Refuse(w, r, code, st.Msg()) {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(st) // the client may be gone
}

// QueryToken returns the value of key in the query of r, "" if there is none.
func QueryToken(key string, r *http.Request) string {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return ""
	}
	return values.Get(key)
}

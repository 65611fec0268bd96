package websocket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/internal/accept"
)

// A Transport has the networks ws and wss. Addresses are host:port, with the path of
// the configuration, or host:port/path. wss is ws over TLS: a peer with a TLS
// configuration uses it on either network. Without one, wss is dialed with the roots
// of the system, and can't be listened on.
type Transport struct{ Config Config }

var _ socket.Transport = Transport{}

// Networks implements [socket.Transport].
func (Transport) Networks() []string { return []string{"ws", "wss"} }

// Dial implements [socket.Transport]. A redirect is an error: the handshake may
// carry secrets for the address that was dialed.
func (t Transport) Dial(ctx context.Context, network, address string, o *socket.Options) (net.Conn, error) {
	scheme := network
	if o.TLS != nil {
		scheme = "wss"
	} else if scheme == "wss" {
		secure := *o
		secure.TLS = &tls.Config{MinVersion: tls.VersionTLS12} // with the roots of the system
		o = &secure
	}
	host, path, ok := strings.Cut(address, "/")
	path = "/" + path
	if !ok {
		path = t.Config.endpoint()
	}
	var under *gatherer // of the one request that is made
	dial := func(ctx context.Context, _, address string) (net.Conn, error) {
		conn, err := socket.Stream{}.Dial(ctx, "tcp", address, o)
		if err != nil {
			return nil, err
		}
		under = &gatherer{Conn: conn}
		return watchDialed(under, t.Config.readLimit(o.ReadLimit)), nil
	}
	client := &http.Client{
		Transport:     &http.Transport{DialContext: dial, DialTLSContext: dial},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ws, _, err := websocket.Dial(ctx, scheme+"://"+host+path, &websocket.DialOptions{
		HTTPClient: client, HTTPHeader: t.Config.Header, CompressionMode: t.Config.compression(), Subprotocols: t.Config.Protocols,
	})
	if err != nil {
		return nil, fmt.Errorf("websocket: dial: %w", err)
	}
	c := newConn(ws, under.LocalAddr(), under.RemoteAddr(), t.Config, o.ReadLimit)
	c.gatherer = under
	return c, nil
}

// Listen implements [socket.Transport] with an HTTP server of its own.
func (t Transport) Listen(ctx context.Context, network, address string, o *socket.Options) (net.Listener, error) {
	if network == "wss" && o.TLS == nil {
		return nil, fmt.Errorf("websocket: listen: network wss needs a TLS configuration; call SetTLSConfig")
	}
	lis, err := socket.Stream{}.Listen(ctx, "tcp", address, o)
	if err != nil {
		return nil, err
	}
	l := &listener{Listener: lis, queue: accept.NewQueue(nil)}
	l.srv = &http.Server{
		Handler: t.handler(l.hand, o), MaxHeaderBytes: maxHead,
		ReadHeaderTimeout: handshakeTime, ReadTimeout: handshakeTime, IdleTimeout: handshakeTime, // all end with the upgrade
		ErrorLog: log.New(&errorLog{o.Refused}, "", 0),
	}
	go func() {
		_ = l.srv.Serve(lis) // it ends with the listener
		_ = l.queue.Close()  // unless Close has
	}()
	return l, nil
}

// handler upgrades requests for the endpoint and hands their connections to hand.
func (t Transport) handler(hand func(net.Conn, *http.Request), o *socket.Options) http.Handler {
	h := &Handler{Config: t.Config, Serve: hand, limit: o.ReadLimit}
	if o.Refused != nil {
		h.Refused = func(r *http.Request, why string) { o.Refused(r.RemoteAddr, errors.New(why)) }
	}
	if check := t.Config.Check; check != nil {
		h.Config.Check = func(w http.ResponseWriter, r *http.Request) (tag any, ok bool) {
			tag, ok = check(w, r)
			if !ok {
				h.refused(r, "websocket: the check of the configuration refuses the request")
			}
			return tag, ok
		}
	}
	endpoint := t.Config.endpoint()
	mux := http.NewServeMux()
	mux.Handle(endpoint, h)
	if endpoint != "/" {
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			h.refused(r, "websocket: the endpoint is at "+endpoint)
			http.NotFound(w, r)
		})
	}
	return mux
}

// An errorLog is the log of an HTTP server. Of what strangers cause it passes on the TLS
// handshakes that fail; all else is about connections that have ended.
type errorLog struct {
	refused func(remote string, why error) // nil: nobody wants to know
}

// Write implements [io.Writer]. It never fails.
func (l *errorLog) Write(line []byte) (int, error) {
	if remote, why, ok := HandshakeError(string(line)); ok && l.refused != nil {
		l.refused(remote, why)
	}
	return len(line), nil
}

// HandshakeError reports whether a line of the error log of a server of net/http is about
// a TLS handshake that has failed, with whom, and why.
func HandshakeError(line string) (remote string, why error, ok bool) {
	rest, ok := strings.CutPrefix(line, "http: TLS handshake error from ")
	if !ok {
		return "", nil, false
	}
	remote, text, ok := strings.Cut(strings.TrimSpace(rest), ": ")
	return remote, fmt.Errorf("websocket: tls handshake: %s", text), ok
}

// Bounds of requests.
const (
	// handshakeTime is how long a request may take, and how long a connection is kept
	// for another one after a request that was not upgraded.
	handshakeTime = 10 * time.Second
	maxHead       = 16 << 10 // bytes
)

// A listener accepts what its HTTP server has upgraded.
type listener struct {
	net.Listener
	srv   *http.Server
	queue *accept.Queue
}

// hand passes c to Accept and returns when it is closed.
func (l *listener) hand(c net.Conn, _ *http.Request) {
	if l.queue.Offer(c, nil) {
		<-c.(*conn).ctx.Done()
	}
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.queue.Accept()
	if err != nil {
		return nil, fmt.Errorf("websocket: accept: %w", err)
	}
	return c, nil
}

// Close stops accepting and ends the connections that were not upgraded yet;
// accepted ones stay open.
func (l *listener) Close() error {
	_ = l.queue.Close() // the server may have
	err := l.Listener.Close()
	_ = l.srv.Close() // connections that were not upgraded, and the listener again
	return err
}

// Unwrap returns the listener of the system below.
func (l *listener) Unwrap() net.Listener { return l.Listener }

package httpgate

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/goerpc/erpc/internal/stream"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// A Handler lets HTTP clients call the handlers of a peer. It may be mounted in
// many servers at the same time. See the package.
type Handler struct {
	host   proto.Host
	cfg    Config
	bounds proto.Bounds
	allow  string // value of the Allow header
	cors   *cors
	hosts  map[string]bool
	origin *http.CrossOriginProtection // nil: all origins are allowed
	mux    *http.ServeMux              // nil: no routes
	memory *stream.Memory              // held by messages of streams that wait to be written
}

var _ http.Handler = (*Handler)(nil)

// New returns a handler in front of host. It panics on an invalid configuration,
// which is a mistake in the program.
func New(host proto.Host, cfg Config) *Handler {
	h := prepare(cfg)
	h.host, h.bounds = host, host.Bounds()
	h.memory = stream.NewMemory(maxStreamMemory)
	return h
}

// Check panics as [New] does.
func Check(cfg Config) { prepare(cfg) }

func prepare(cfg Config) *Handler {
	h := &Handler{cfg: cfg.complete()}
	h.allow = strings.Join(append(slices.Clone(h.cfg.Methods), "OPTIONS"), ", ")
	h.cors = cfg.CORS.complete()
	h.hosts = hosts(cfg.Hosts)
	if !cfg.AnyOrigin && (h.cors == nil || !h.cors.any) {
		h.origin = http.NewCrossOriginProtection()
		if h.cors != nil {
			for _, o := range h.cors.origins {
				if err := h.origin.AddTrustedOrigin(o); err != nil {
					panic(fmt.Sprintf("httpgate: CORS: %v; an origin is scheme://host, without a path", err))
				}
			}
		}
	}
	h.mux = h.cfg.mux(h.serve)
	return h
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer h.host.Hold()()
	if c, ok := r.Context().Value(connKey{}).(*conn); ok {
		if r.TLS == nil {
			r.TLS = c.tls
		}
		c.http2.Store(r.ProtoMajor == 2)
	}
	allowed := h.cors.add(w.Header(), r.Header.Get("Origin"))
	if st, code := h.guard(r); st != nil {
		h.host.Refused(r.RemoteAddr, st)
		h.refuse(w, r, st, code)
		return
	}
	switch {
	case r.Method == http.MethodOptions:
		w.Header().Set("Allow", h.allow)
		if allowed && r.Header.Get("Access-Control-Request-Method") != "" {
			h.cors.addPreflight(w.Header(), h.allow)
		}
		w.WriteHeader(http.StatusNoContent)
		return
	case !slices.Contains(h.cfg.Methods, r.Method):
		h.refuse(w, r, status(message.CodeMtypeNotAllowed, "the method must be one of "+h.allow), http.StatusMethodNotAllowed)
		return
	}
	if h.mux != nil {
		if _, pattern := h.mux.Handler(r); pattern != "" {
			h.mux.ServeHTTP(w, r)
			return
		}
		if call, _ := h.host.Lookup(r.URL.Path); !call.Found || call.Unknown {
			if allow := h.routeMethods(r); allow != "" {
				w.Header().Set("Allow", allow)
				h.refuse(w, r, status(message.CodeMtypeNotAllowed, "the method must be one of "+allow), http.StatusMethodNotAllowed)
				return
			}
		}
	}
	if escapesSlash(r.URL.RawPath) {
		h.refuse(w, r, status(message.CodeNotFound, "the path has an escaped slash; write it as /"), http.StatusNotFound)
		return
	}
	h.serve(w, r, Route{Method: r.URL.Path}, nil)
}

// escapesSlash reports whether a path, as it was sent, has a slash written as %2F.
// A proxy with rules for paths takes that for a part of a name, as the patterns of
// net/http do, so it must not reach a method behind the slash.
func escapesSlash(raw string) bool {
	return strings.Contains(raw, "%2F") || strings.Contains(raw, "%2f")
}

// routeMethods returns the methods for which the path of r matches a route, or ""
// if it matches none.
func (h *Handler) routeMethods(r *http.Request) string {
	var allow []string
	other := *r
	for _, other.Method = range h.cfg.Methods {
		if _, pattern := h.mux.Handler(&other); pattern != "" {
			allow = append(allow, other.Method)
		}
	}
	if allow == nil {
		return ""
	}
	return strings.Join(append(allow, http.MethodOptions), ", ")
}

// guard checks a request before its body is read.
func (h *Handler) guard(r *http.Request) (st *message.Status, code int) {
	if h.hosts != nil && !h.knows(r.Host) {
		return status(message.CodeBadMessage, "the Host is not one of this server"), http.StatusMisdirectedRequest
	}
	fields := 0
	for _, values := range r.Header {
		fields += len(values)
	}
	if fields > h.cfg.MaxFields {
		return status(message.CodeTooLarge, fmt.Sprintf("more than %d header fields", h.cfg.MaxFields)), http.StatusRequestHeaderFieldsTooLarge
	}
	if h.origin != nil {
		if err := h.origin.Check(r); err != nil {
			return status(message.CodeUnauthorized, "pages of this origin may not call"), http.StatusForbidden
		}
	}
	return nil, 0
}

// knows reports whether the server is known under that name.
func (h *Handler) knows(host string) bool {
	host = strings.ToLower(host)
	if h.hosts[host] {
		return true
	}
	name, _, err := net.SplitHostPort(host)
	return err == nil && h.hosts[name]
}

// safe reports whether a GET may call the method of the route. If not, it returns
// why.
func (h *Handler) safe(r *http.Request, to Route) (st *message.Status, code int) {
	if h.cfg.UnsafeGET || to.Safe || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, 0
	}
	t, stream := h.host.Lookup(to.Method)
	if stream.Found && (!t.Found || t.Unknown) {
		t = stream
	}
	switch {
	case !t.Found:
		return message.NewStatusByCodeText(message.CodeNotFound, "", false), http.StatusNotFound
	case !t.Safe:
		return status(message.CodeMtypeNotAllowed, "the handler is not marked safe for GET; use POST"), http.StatusMethodNotAllowed
	}
	return nil, 0
}

// serve answers a request by calling the method of a route. path are the names of the
// route's parameters.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, to Route, path []string) {
	if st, code := h.safe(r, to); st != nil {
		h.refuse(w, r, st, code)
		return
	}
	c, isOurs := r.Context().Value(connKey{}).(*conn)
	if !isOurs {
		local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		c = &conn{h: h, local: local, remote: addrOf(r.RemoteAddr)}
		if local == nil {
			c.local = addr(r.Host)
		}
		defer c.closeLink()
	}
	q := &request{Request: r, h: h, w: w, conn: c, method: to.Method, stream: to.Stream, path: path}
	defer q.release()
	if q.isStream() {
		l, release, st := c.linkFor(token(r))
		if st != nil {
			q.answerStatus(st)
			return
		}
		defer release()
		q.serveStream(l)
		return
	}
	m, ref := q.message()
	if ref != nil {
		h.refuse(w, r, ref.st, ref.code)
		return
	}
	l, release, st := c.linkFor(token(r))
	if st != nil {
		q.answerStatus(st)
		return
	}
	defer release()
	if m.Mtype() == message.TypePush {
		q.answerPush(l.push(m))
		return
	}
	reply, st := l.call(r.Context(), m, graceOf(r))
	if st != nil {
		q.answerStatus(st)
		return
	}
	q.answer(reply)
}

// halfClosedGrace is how long the handler goes on for a client of HTTP/1 that is
// gone, or that has only closed its sending side and reads its answer, which looks
// the same.
const halfClosedGrace = 500 * time.Millisecond

// graceOf returns how long a call goes on after the context of its request has
// ended. HTTP/2 cancels requests explicitly.
func graceOf(r *http.Request) time.Duration {
	if r.ProtoMajor > 1 {
		return 0
	}
	return halfClosedGrace
}

// maxStreamMemory is how many bytes the streams of all clients together may hold
// that wait to be written.
const maxStreamMemory = 64 << 20

// isStream reports whether the route says so, or the method has a handler of streams
// and none of calls other than that of unknown calls. A request with X-Mtype is one
// of an erpc peer, which has no streams over HTTP.
func (q *request) isStream() bool {
	if len(q.Header["X-Mtype"]) > 0 {
		return false
	}
	if q.stream {
		return true
	}
	call, stream := q.h.host.Lookup(q.method)
	return stream.Found && (!call.Found || call.Unknown)
}

// token returns the credentials of a request: those of the scheme Bearer, or the
// header as it is.
func token(r *http.Request) string {
	a := r.Header.Get("Authorization")
	if scheme, rest, ok := strings.Cut(a, " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(rest)
	}
	return a
}

func status(code int32, cause string) *message.Status {
	return message.NewStatusByCodeText(code, cause, false)
}

// addrOf parses an address as net/http gives it.
func addrOf(s string) net.Addr {
	if a, err := netip.ParseAddrPort(s); err == nil {
		return net.TCPAddrFromAddrPort(a)
	}
	return addr(s)
}

type addr string

func (addr) Network() string  { return "http" }
func (a addr) String() string { return string(a) }

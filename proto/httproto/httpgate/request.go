package httpgate

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/internal/wire"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/xfer"
)

// A request is an HTTP request that is being answered.
type request struct {
	*http.Request
	h        *Handler
	w        http.ResponseWriter
	conn     *conn
	method   string    // the service method
	stream   bool      // its route says that the method is one of streams
	path     []string  // names of the parameters of the route
	held     int       // bytes of the budget of conn
	deadline time.Time // of reading the body

	numbered bool // it is a message of an erpc peer that came through a proxy
	seq      string
}

// A refusal is why a request is not executed, and its HTTP status; 0 means the one
// that follows from the status.
type refusal struct {
	st   *message.Status
	code int
}

func refuse(code int, form string, args ...any) *refusal {
	erpcCode := message.CodeBadMessage
	if code == http.StatusRequestEntityTooLarge {
		erpcCode = message.CodeTooLarge
	}
	return &refusal{status(erpcCode, fmt.Sprintf(form, args...)), code}
}

// message makes the CALL, or PUSH, of the request.
func (q *request) message() (*message.Message, *refusal) {
	m := message.New(message.WithServiceMethod(q.method))
	m.SetMtype(message.TypeCall)
	if ref := q.identify(m); ref != nil {
		return nil, ref
	}
	q.setMeta(m.Meta())
	b, ref := q.body()
	if ref != nil {
		return nil, ref
	}
	if q.numbered {
		b, ref = q.unfilter(m, b)
		if ref != nil {
			return nil, ref
		}
	}
	b, ref = q.setCodec(m, b)
	if ref != nil {
		return nil, ref
	}
	m.SetBody(b)
	return m, nil
}

// identify reads the header fields of an erpc peer, if there are any: its
// requests come here through proxies, which may mix them with those of others.
func (q *request) identify(m *message.Message) *refusal {
	types := q.Header["X-Mtype"]
	if len(types) == 0 {
		return nil
	}
	seqs := q.Header["X-Seq"]
	if len(types) > 1 || len(seqs) > 1 || q.Method != http.MethodPost {
		return refuse(http.StatusBadRequest, "X-Mtype or X-Seq twice, or with another method than POST")
	}
	if len(seqs) == 1 {
		n, err := strconv.ParseInt(seqs[0], 10, 32)
		if err != nil {
			return refuse(http.StatusBadRequest, "X-Seq %.40q", seqs[0])
		}
		q.seq = strconv.FormatInt(n, 10)
	}
	switch types[0] {
	case "1":
	case "3":
		m.SetMtype(message.TypePush)
	default:
		return refuse(http.StatusBadRequest, "a request with the X-Mtype %.40q", types[0])
	}
	q.numbered = true
	return nil
}

// ofProtocol are the header fields that do not become metadata.
var ofProtocol = map[string]bool{
	"Content-Length": true, "Transfer-Encoding": true, "Content-Encoding": true, "X-Content-Encoding": true,
	"X-Seq": true, "X-Mtype": true, "Connection": true, "Expect": true, "Keep-Alive": true,
	"Proxy-Connection": true, "Te": true, "Trailer": true, "Upgrade": true, "Http2-Settings": true,
}

// setMeta makes metadata of header fields, of the query under ?key and of the path
// under {key}. No header field can have such names.
func (q *request) setMeta(meta *message.Meta) {
	names := make([]string, 0, len(q.Header))
	for name := range q.Header {
		if !ofProtocol[name] && !(q.numbered && (name == "Accept-Encoding" || name == "Content-Type" || name == "User-Agent")) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range q.Header[name] {
			meta.Add(metaKey(name), v)
		}
	}
	if !q.numbered {
		meta.Add("Host", q.Host)
	}
	for k, v := range q.query().All {
		meta.Add("?"+k, v)
	}
	for _, name := range q.path {
		meta.Add("{"+name+"}", q.PathValue(name))
	}
}

func (q *request) query() *message.Meta {
	var pairs message.Meta
	if q.URL.RawQuery != "" {
		pairs.SetQuery([]byte(q.URL.RawQuery))
	}
	return &pairs
}

// metaKey returns the key of metadata that a header field has: its name in
// canonical form, except for two keys of erpc.
func metaKey(name string) string {
	switch {
	case strings.EqualFold(name, message.MetaRealIP):
		return message.MetaRealIP
	case strings.EqualFold(name, wire.MetaHeartbeat):
		return wire.MetaHeartbeat
	}
	return name
}

// setCodec sets the codec of the body and adds the one for the reply. Without a
// body, the parameters of path and query become one, as a form.
func (q *request) setCodec(m *message.Message, b []byte) ([]byte, *refusal) {
	contentType := q.Header.Get("Content-Type")
	if len(q.Header["Content-Type"]) > 1 {
		return nil, refuse(http.StatusBadRequest, "Content-Type twice")
	}
	id, known := CodecOf([]byte(contentType))
	switch {
	case q.numbered:
		m.SetBodyCodec(id)
		return b, nil
	case contentType == "" && len(b) > 0:
		return nil, refuse(http.StatusUnsupportedMediaType, "a body without a Content-Type; JSON is application/json")
	case contentType == "":
		id, known = codec.ID_JSON, true
		if form := q.parameters(); len(form) > 0 {
			m.SetBodyCodec(codec.ID_FORM)
			b = form
		}
	}
	if m.BodyCodec() == 0 {
		m.SetBodyCodec(id)
	}
	if m.Meta().Has(message.MetaAcceptBodyCodec) {
		return b, nil
	}
	reply, wished := preferred([]byte(q.Header.Get("Accept")))
	switch {
	case wished:
	case !known || id == codec.ID_FORM:
		reply = codec.ID_JSON // the reply to a form is seldom a form
	default:
		reply = id
	}
	m.Meta().Add(message.MetaAcceptBodyCodec, strconv.Itoa(int(reply)))
	return b, nil
}

// parameters returns the parameters of path and query as a form. Those of the path
// come first, so that they win over those of the query.
func (q *request) parameters() []byte {
	if len(q.path) == 0 {
		return []byte(q.URL.RawQuery)
	}
	var form message.Meta
	for _, name := range q.path {
		form.Add(name, q.PathValue(name))
	}
	for k, v := range q.query().All {
		if !slices.Contains(q.path, k) {
			form.Add(k, v)
		}
	}
	return form.AppendQuery(nil)
}

// body returns the body with its Content-Encoding undone.
func (q *request) body() ([]byte, *refusal) {
	limit := q.h.bounds.Message
	var src io.Reader = http.MaxBytesReader(q.w, &timed{q}, int64(limit))
	if q.ContentLength > int64(limit) { // the body is not read
		q.hangUp()
		_ = http.NewResponseController(q.w).SetReadDeadline(time.Now().Add(linger)) // as in timed
		return nil, refuse(http.StatusRequestEntityTooLarge, "a body of %d bytes", q.ContentLength)
	}
	if !q.numbered || len(q.Header["X-Content-Encoding"]) == 0 {
		switch coding := strings.Join(q.Header["Content-Encoding"], ","); strings.ToLower(coding) {
		case "", "identity":
		case "gzip", "x-gzip":
			wire := &counted{Reader: src}
			z, err := gzip.NewReader(wire)
			if err != nil {
				return nil, q.readFailed(err)
			}
			src = &inflated{src: z, wire: wire, limit: limit}
		default:
			return nil, refuse(http.StatusUnsupportedMediaType, "Content-Encoding %.40q; only gzip is known", coding)
		}
	}
	b, ref := q.readAll(src)
	if ref == nil || ref.code != http.StatusRequestTimeout {
		_ = http.NewResponseController(q.w).SetReadDeadline(time.Time{}) // as in timed
	}
	return b, ref
}

const firstBody = 4 << 10 // bytes of storage for a body of unknown length

// readAll reads a body into storage that grows with what has arrived. The storage
// counts in the budget of the connection.
func (q *request) readAll(src io.Reader) ([]byte, *refusal) {
	var b []byte
	for {
		if len(b) == cap(b) {
			size := max(firstBody, 2*len(b))
			if known := int(q.ContentLength) + 1; q.ContentLength > 0 && known > len(b) && known < size {
				size = known
			}
			if !q.hold(size) {
				return nil, &refusal{message.NewStatusByCodeText(message.CodeExhausted, "httpgate: too many bytes of this connection are being handled", false), 0}
			}
			grown := make([]byte, len(b), size)
			copy(grown, b)
			b = grown
		}
		n, err := src.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return nil, q.readFailed(err)
		}
	}
}

// hold makes size bytes count in the budget in place of those counted before. A
// single request always gets what it needs.
func (q *request) hold(size int) bool {
	more := int64(size - q.held)
	if total := q.conn.inflight.Add(more); q.h.bounds.Inflight > 0 && total > int64(q.h.bounds.Inflight) && total > int64(size) {
		q.conn.inflight.Add(-more)
		return false
	}
	q.held = size
	return true
}

func (q *request) release() { q.conn.inflight.Add(-int64(q.held)) }

// readFailed turns the error of reading a body into a refusal.
func (q *request) readFailed(err error) *refusal {
	var large *http.MaxBytesError
	if errors.As(err, &large) || errors.Is(err, xfer.ErrTooLarge) {
		return refuse(http.StatusRequestEntityTooLarge, "a body of more than %d bytes, or %d times what was sent", q.h.bounds.Message, xfer.DefaultRatio)
	}
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		q.hangUp()
		return &refusal{status(message.CodeHandleTimeout, "the body did not arrive in time"), http.StatusRequestTimeout}
	}
	return refuse(http.StatusBadRequest, "%v", err)
}

// unfilter undoes the transfer filters that an erpc peer names. The reply goes
// through them, too.
func (q *request) unfilter(m *message.Message, b []byte) ([]byte, *refusal) {
	for names := range strings.SplitSeq(strings.Join(q.Header["X-Content-Encoding"], ","), ",") {
		if names == "" {
			continue
		}
		filter, err := xfer.GetByName(strings.TrimSpace(names))
		if err == nil {
			err = m.XferPipe().Append(filter.ID())
		}
		if err != nil {
			return nil, refuse(http.StatusBadRequest, "%v", err)
		}
	}
	if m.XferPipe().Len() == 0 {
		return b, nil
	}
	b, err := m.XferPipe().OnUnpackLimit(b, q.h.bounds.Message)
	switch {
	case errors.Is(err, xfer.ErrTooLarge):
		return nil, refuse(http.StatusRequestEntityTooLarge, "%v", err)
	case err != nil:
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	return b, nil
}

// counted counts the bytes that are read.
type counted struct {
	io.Reader
	n int
}

func (r *counted) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.n += n
	return n, err
}

// inflated bounds what is inflated, by limit and in proportion to what came over
// the wire.
type inflated struct {
	src   io.Reader
	wire  *counted
	n     int
	limit int
}

func (r *inflated) Read(p []byte) (int, error) {
	n, err := r.src.Read(p)
	r.n += n
	if r.n > xfer.InflateLimit(r.wire.n, r.limit) {
		return 0, xfer.ErrTooLarge
	}
	return n, err
}

// timed is a body that must arrive in time: all of it within the idle limit of the
// peer or, if there is none, each read within the write limit.
type timed struct{ *request }

func (t *timed) Read(p []byte) (int, error) {
	limit := t.h.bounds.Write
	if idle := t.h.bounds.Idle; idle > 0 {
		limit = idle
	}
	if limit > 0 && (t.h.bounds.Idle <= 0 || t.deadline.IsZero()) {
		t.deadline = time.Now().Add(limit)
		// Not every ResponseWriter of other servers supports it.
		_ = http.NewResponseController(t.w).SetReadDeadline(t.deadline)
	}
	return t.Body.Read(p)
}

// Close implements [io.Closer].
func (t *timed) Close() error { return t.Body.Close() }

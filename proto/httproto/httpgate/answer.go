package httpgate

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goerpc/erpc/message"
	filter "github.com/goerpc/erpc/xfer/gzip"
)

// statusBusiness replaces 200 for an erpc peer if the body is a status.
const statusBusiness = 299

// refuse answers a request that is not executed.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, st *message.Status, code int) {
	q := &request{Request: r, h: h, w: w}
	q.fail(st, code)
}

// answerStatus answers a request with a status that is not OK.
func (q *request) answerStatus(st *message.Status) { q.fail(st, 0) }

// fail answers with a status. A code of 0 means the one that follows from st.
func (q *request) fail(st *message.Status, code int) {
	if st.Code() == message.CodeShuttingDown {
		q.hangUp()
	}
	if q.numbered {
		q.number()
		q.w.Header().Set("Content-Type", "application/json")
		q.write(statusBusiness, encode(st))
		return
	}
	if code == 0 {
		code = q.h.cfg.Status(st.Code())
	}
	header := q.w.Header()
	switch {
	case code == http.StatusMethodNotAllowed && header.Get("Allow") == "":
		header.Set("Allow", q.h.allow)
	case code == http.StatusUnauthorized && header.Get("Www-Authenticate") == "":
		header.Set("Www-Authenticate", q.h.cfg.Challenge)
	}
	header.Set("Content-Type", "application/json")
	q.send(code, encode(st), false)
}

// hangUp makes the answer the last on the connection. HTTP/3 has no header for
// that.
func (q *request) hangUp() {
	if q.ProtoMajor < 3 {
		q.w.Header().Set("Connection", "close")
	}
}

// encode returns a status as JSON, as in erpc v7.
func encode(st *message.Status) []byte {
	b, _ := st.MarshalJSON() // can't fail: a number and two strings
	return b
}

// number adds the fields by which an erpc peer recognises its reply.
func (q *request) number() {
	q.w.Header().Set("X-Mtype", strconv.Itoa(int(message.TypeReply)))
	if q.seq != "" {
		q.w.Header().Set("X-Seq", q.seq)
	}
}

// answerPush answers that a push was accepted, which is all that an erpc peer is
// told.
func (q *request) answerPush(st *message.Status) {
	if st != nil {
		q.fail(st, 0)
		return
	}
	q.number()
	q.write(http.StatusAccepted, nil)
}

// answer answers with a reply.
func (q *request) answer(m *message.Message) {
	contentType := setHeader(q.w.Header(), m.Meta())
	if !m.StatusOK() {
		q.fail(m.Status(), 0)
		return
	}
	if contentType == "" {
		contentType = GetContentType(m.BodyCodec(), "text/plain;charset=utf-8")
	}
	q.w.Header().Set("Content-Type", contentType)
	if !q.numbered {
		q.send(http.StatusOK, m.Raw(), slices.ContainsFunc(m.XferPipe().IDs(), filter.Is))
		return
	}
	q.number()
	b := m.Raw()
	if m.XferPipe().Len() > 0 {
		var err error
		b, err = m.XferPipe().OnPack(b)
		if err != nil {
			q.fail(status(message.CodeInternalServerError, err.Error()), 0)
			return
		}
		if filter.Is(m.XferPipe().IDs()[0]) {
			q.w.Header().Set("Content-Encoding", "gzip")
		}
		q.w.Header().Set("X-Content-Encoding", strings.Join(m.XferPipe().Names(), ","))
	}
	q.write(http.StatusOK, b)
}

// setHeader makes header fields of the metadata of a reply, except those that the
// protocol sets itself. It returns the content type of the body if it is among
// them.
func setHeader(h http.Header, meta *message.Meta) (contentType string) {
	if meta.Len() == 0 {
		return ""
	}
	set := map[string]bool{}
	for k, v := range meta.All {
		switch name := http.CanonicalHeaderKey(k); {
		case name == "Content-Type":
			contentType = v
		case ofProtocol[name] || !isToken(k):
		case !set[name] && name != "Vary": // a handler's field takes precedence over ours
			set[name] = true
			h.Set(name, v)
		default:
			h.Add(name, v)
		}
	}
	return contentType
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune("()<>@,;:\\\"/[]?={}", c)
	})
}

var zippers = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // can't happen: the level is valid
	}
	return z
}}

// send writes an answer, compressed if the client accepts that and it is worth it,
// or zip is true.
func (q *request) send(code int, b []byte, zip bool) {
	from := q.h.cfg.GzipFrom
	if from >= 0 && len(b) > 0 && (zip || len(b) >= from) {
		q.w.Header().Add("Vary", "Accept-Encoding")
		if acceptsGzip(strings.Join(q.Header["Accept-Encoding"], ",")) && q.w.Header().Get("Content-Encoding") == "" {
			if z := compress(b); len(z) < len(b) {
				q.w.Header().Set("Content-Encoding", "gzip")
				b = z
			}
		}
	}
	q.write(code, b)
}

func compress(b []byte) []byte {
	var dst bytes.Buffer
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(&dst)
	_, _ = z.Write(b) // to memory
	_ = z.Close()
	return dst.Bytes()
}

const piece = 32 << 10 // bytes that must be taken within the write limit

// write writes an answer. The connection of a client that takes nothing for the
// write limit of the peer is closed.
func (q *request) write(code int, b []byte) {
	if q.conn != nil && q.conn.isEnding() {
		q.hangUp()
	}
	header := q.w.Header()
	header.Set("Content-Length", strconv.Itoa(len(b)))
	if q.Method == http.MethodHead {
		b = nil
	}
	control := http.NewResponseController(q.w)
	extend := func() {
		if d := q.h.bounds.Write; d > 0 {
			// Not every ResponseWriter of other servers supports it.
			_ = control.SetWriteDeadline(time.Now().Add(d))
		}
	}
	extend()
	q.w.WriteHeader(code)
	for len(b) > 0 {
		n := min(len(b), piece)
		if _, err := q.w.Write(b[:n]); err != nil {
			return // the client is gone
		}
		b = b[n:]
		extend()
	}
	if q.h.bounds.Write > 0 && control.Flush() == nil {
		_ = control.SetWriteDeadline(time.Time{}) // as above
	}
}

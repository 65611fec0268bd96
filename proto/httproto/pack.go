package httproto

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/xfer/gzip"
)

const userAgent = "erpc-httproto/1.1" // as of erpc v7

// Errors of Pack. Nothing is written.
var (
	// ErrNoMethod: the request line can't be without a path.
	ErrNoMethod = errors.New("httproto: the service method is empty")
	// ErrMetaKey: a key of metadata can't be the name of a header field.
	ErrMetaKey = errors.New("httproto: a key of metadata is no HTTP token")
)

// Pack implements [proto.Proto].
func (f *format) Pack(dst []byte, m *message.Message) ([]byte, error) {
	start := len(dst)
	var err error
	switch m.Mtype() {
	case message.TypeReply, message.TypeAuthReply:
		if t := f.turn.Load(); t != nil && (t.seq == m.Seq() || m.Mtype() == message.TypeAuthReply) {
			dst, err = f.packTurn(dst, m, t, 0)
		} else {
			dst, err = f.packPeerReply(dst, m)
		}
	case message.TypeCall, message.TypePush, message.TypeAuthCall:
		dst, err = f.packRequest(dst, m)
	default:
		err = fmt.Errorf("httproto: a message of the type %d has no form in HTTP", m.Mtype())
	}
	if err == nil {
		f.print(true, dst[start:])
	}
	return dst, err
}

// A packer collects the header fields of one message.
type packer struct {
	fields []entry
	head   []byte
	text   []byte
}

type entry struct{ name, value string }

var packers = sync.Pool{New: func() any { return new(packer) }}

func (p *packer) free() {
	clear(p.fields)
	p.fields = p.fields[:0]
	if cap(p.head) <= 4<<10 {
		packers.Put(p)
	}
}

func (p *packer) add(name, value string) { p.fields = append(p.fields, entry{name, value}) }

// addMeta adds metadata as header fields, but for what the protocol says itself.
func (p *packer) addMeta(m *message.Message, reply bool) (host, contentType string, err error) {
	if m.Meta().Len() == 0 {
		return "", "", nil
	}
	for k, v := range m.Meta().All {
		if !isToken([]byte(k)) {
			return "", "", fmt.Errorf("%w: %.40q", ErrMetaKey, k)
		}
		p.text = appendCanonical(p.text[:0], k)
		switch string(p.text) {
		case "Content-Length", "Transfer-Encoding", "Content-Encoding", "X-Content-Encoding", "X-Seq", "X-Mtype",
			"Connection", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Upgrade", "Expect":
		case "Content-Type":
			contentType = clean(v)
		case "Host":
			host = clean(v)
		case "Accept-Encoding", "User-Agent":
			if reply {
				p.add(string(p.text), clean(v))
			}
		default:
			p.add(string(p.text), clean(v))
		}
	}
	return host, contentType, nil
}

// clean makes v fit to be a value: nothing in it can end the field.
func clean(v string) string {
	if strings.IndexFunc(v, func(c rune) bool { return c < 0x80 && isControl(byte(c)) }) >= 0 {
		b := []byte(v)
		for i, c := range b {
			if isControl(c) {
				b[i] = ' '
			}
		}
		v = string(b)
	}
	return strings.Trim(v, " \t")
}

// place puts the first line and the fields, sorted as erpc v7 has them, in
// front of the body, which is dst[start:].
func (p *packer) place(dst []byte, start int, line ...string) []byte {
	slices.SortStableFunc(p.fields, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	b := p.head[:0]
	for _, s := range line {
		b = append(b, s...)
	}
	b = append(b, "\r\n"...)
	for _, e := range p.fields {
		b = append(append(b, e.name...), ": "...)
		b = append(append(b, e.value...), "\r\n"...)
	}
	b = append(b, "\r\n"...)
	p.head = b
	body := len(dst) - start
	dst = append(dst, b...)
	copy(dst[start+len(b):], dst[start:start+body])
	copy(dst[start:], b)
	return dst
}

// body appends the body of m, filters applied, and adds what tells of that.
func (p *packer) body(dst []byte, m *message.Message, status bool) ([]byte, error) {
	start := len(dst)
	var err error
	if status {
		dst, err = appendStatus(dst, m.Status())
	} else {
		dst, err = m.AppendBody(dst)
	}
	if err != nil || m.XferPipe().Len() == 0 {
		return dst, err
	}
	b, err := m.XferPipe().OnPack(dst[start:])
	if err != nil {
		return dst, err
	}
	names, err := appendNames(nil, m)
	if err != nil {
		return dst, err
	}
	if gzip.Is(m.XferPipe().IDs()[0]) {
		p.add("Content-Encoding", "gzip")
	}
	p.add("X-Content-Encoding", string(names))
	return append(dst[:start], b...), nil
}

// appendStatus appends a status as JSON. What HTML would need escaped is not,
// as erpc v7 does it.
func appendStatus(dst []byte, st *message.Status) ([]byte, error) {
	var j struct {
		Code  int32  `json:"code"`
		Msg   string `json:"msg"`
		Cause string `json:"cause"`
	}
	j.Code, j.Msg = st.Code(), st.Msg()
	if cause := st.Cause(); cause != nil {
		j.Cause = cause.Error()
	}
	w := bytes.NewBuffer(dst)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(&j); err != nil {
		return dst, err
	}
	return bytes.TrimSuffix(w.Bytes(), []byte("\n")), nil
}

func (f *format) packRequest(dst []byte, m *message.Message) ([]byte, error) {
	if f.client.Load() {
		return dst, errClient
	}
	if m.Mtype() == message.TypePush {
		if err := f.asked.push(); err != nil {
			return dst, err
		}
	}
	host, target, err := requestTarget(m)
	if err != nil {
		return dst, err
	}
	p := packers.Get().(*packer)
	defer p.free()
	metaHost, _, err := p.addMeta(m, false)
	if err != nil {
		return dst, err
	}
	switch {
	case host != "":
	case metaHost != "":
		host = metaHost
	default:
		host = f.host
	}
	if host != "" {
		p.add("Host", host)
	}
	start := len(dst)
	if dst, err = p.body(dst, m, false); err != nil {
		return dst, err
	}
	p.add("Accept-Encoding", "gzip")
	p.add("Content-Length", strconv.Itoa(len(dst)-start))
	p.add("Content-Type", GetContentType(m.BodyCodec(), "text/plain;charset=utf-8"))
	p.add("User-Agent", userAgent)
	p.addNumbers(m)
	return p.place(dst, start, "POST ", target, " HTTP/1.1"), nil
}

func (p *packer) addNumbers(m *message.Message) {
	p.add("X-Mtype", strconv.Itoa(int(m.Mtype())))
	p.add("X-Seq", strconv.Itoa(int(m.Seq())))
}

// requestTarget returns what stands in the request line, and the host of an
// absolute URL.
func requestTarget(m *message.Message) (host, target string, err error) {
	method := m.ServiceMethod()
	if m.Mtype() == message.TypeAuthCall && method == "" {
		return "", "/", nil
	}
	if method == "" {
		return "", "", ErrNoMethod
	}
	if isPlainPath(method) {
		return "", method, nil
	}
	u, err := url.Parse(method)
	if err != nil {
		return "", "", fmt.Errorf("httproto: the service method is no URL: %w", err)
	}
	if target = u.EscapedPath(); target == "" {
		target = "/"
	}
	if u.RawQuery != "" {
		target += "?" + strings.ReplaceAll(u.RawQuery, " ", "%20")
	}
	if i := strings.IndexFunc(target, func(c rune) bool { return c <= ' ' || c == 0x7f }); i >= 0 {
		return "", "", fmt.Errorf("httproto: the service method %.40q holds a control character", method)
	}
	return clean(u.Host), target, nil
}

// isPlainPath reports whether a method is a path that needs no escapes.
func isPlainPath(method string) bool {
	if method[0] != '/' || strings.HasPrefix(method, "//") {
		return false
	}
	for i := range len(method) {
		c := method[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("/_-.~", c) >= 0) {
			return false
		}
	}
	return true
}

// packPeerReply packs a reply to an erpc peer.
func (f *format) packPeerReply(dst []byte, m *message.Message) ([]byte, error) {
	p := packers.Get().(*packer)
	defer p.free()
	_, contentType, err := p.addMeta(m, true)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	failed := !m.StatusOK()
	if dst, err = p.body(dst, m, failed); err != nil {
		return dst, err
	}
	line := "HTTP/1.1 200 OK"
	switch {
	case failed:
		line, contentType = "HTTP/1.1 299 Business Error", "application/json"
	case contentType == "":
		contentType = GetContentType(m.BodyCodec(), "text/plain")
	}
	p.add("Content-Length", strconv.Itoa(len(dst)-start))
	p.add("Content-Type", contentType)
	p.addNumbers(m)
	return p.place(dst, start, line), nil
}

// packTurn packs the answer to an HTTP client. With a status of 0 that follows
// from the message.
func (f *format) packTurn(dst []byte, m *message.Message, t *turn, status int) ([]byte, error) {
	p := packers.Get().(*packer)
	defer p.free()
	_, contentType, err := p.addMeta(m, true)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	last := t.close
	if failed := !m.StatusOK(); failed {
		if status == 0 {
			status = f.cfg.Status(m.Status().Code())
		}
		if m.Status().Code() == message.CodeShuttingDown {
			last = true
			f.ended.Store(true)
		}
		contentType = "application/json"
		dst, err = appendStatus(dst, m.Status())
	} else {
		status = statusOK
		if contentType == "" {
			contentType = GetContentType(m.BodyCodec(), "text/plain;charset=utf-8")
		}
		dst, err = m.AppendBody(dst)
	}
	if err != nil {
		return dst, err
	}
	if dst, err = f.compress(p, dst, start, m, t); err != nil {
		return dst, err
	}
	p.add("Content-Length", strconv.Itoa(len(dst)-start))
	p.add("Content-Type", contentType)
	p.add("Date", time.Now().UTC().Format(timeFormat))
	p.addConnection(t, last)
	f.cfg.cors.add(p, t.origin)
	if status == statusMethodNotAllowed {
		p.add("Allow", f.cfg.allow)
	}
	if t.noBody {
		dst = dst[:start]
	}
	return p.place(dst, start, "HTTP/1.1 ", strconv.Itoa(status), " ", reason(status)), nil
}

const timeFormat = "Mon, 02 Jan 2006 15:04:05 GMT"

func (p *packer) addConnection(t *turn, last bool) {
	switch {
	case last:
		p.add("Connection", "close")
	case t.old:
		p.add("Connection", "keep-alive")
	}
}

// compress compresses a body that is worth it for a client that takes it.
// Filters mean nothing to such a client; gzip among them says that it shall be
// compressed.
func (f *format) compress(p *packer, dst []byte, start int, m *message.Message, t *turn) ([]byte, error) {
	size := len(dst) - start
	if f.cfg.GzipFrom < 0 || size == 0 || size < f.cfg.GzipFrom && !slices.ContainsFunc(m.XferPipe().IDs(), gzip.Is) {
		return dst, nil
	}
	p.add("Vary", "Accept-Encoding")
	if !t.gzip {
		return dst, nil
	}
	b, err := gzipped.OnPack(dst[start:])
	if err != nil || len(b) >= size {
		return dst, err
	}
	p.add("Content-Encoding", "gzip")
	return append(dst[:start], b...), nil
}

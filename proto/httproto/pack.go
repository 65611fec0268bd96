package httproto

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goerpc/erpc/internal/wire"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/xfer/gzip"
)

const userAgent = "erpc-httproto/1.1" // as of erpc v7

// Errors of Pack. Nothing is written.
var (
	// ErrNoMethod: the request line can't be without a path.
	ErrNoMethod = errors.New("httproto: the service method is empty")
	// ErrMetaKey: a key of metadata can't be the name of a header field.
	ErrMetaKey = errors.New("httproto: a key of metadata is not an HTTP token")
)

// Pack implements [proto.Proto].
func (f *format) Pack(dst []byte, m *message.Message) ([]byte, error) {
	start := len(dst)
	var err error
	switch m.Mtype() {
	case message.TypeReply, message.TypeAuthReply:
		dst, err = f.packPeerReply(dst, m)
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

// addMeta adds metadata as header fields, except those that the protocol sets
// itself.
func (p *packer) addMeta(m *message.Message, reply bool) (host, contentType string, err error) {
	if m.Meta().Len() == 0 {
		return "", "", nil
	}
	for k, v := range m.Meta().All {
		if k != "" && (k[0] == '?' || k[0] == '{') { // of an HTTP client's URL
			continue
		}
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

// clean makes v a valid value: nothing in it can end the field.
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

// place inserts the first line and the fields, sorted as in erpc v7, in front of
// the body, which is dst[start:].
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

// body appends the body of m, with filters applied, and adds the header fields
// that describe it.
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

// appendStatus appends a status as JSON, as in erpc v7.
func appendStatus(dst []byte, st *message.Status) ([]byte, error) {
	b, err := st.MarshalJSON()
	return append(dst, b...), err
}

func (f *format) packRequest(dst []byte, m *message.Message) ([]byte, error) {
	f.side.CompareAndSwap(unknownSide, clientSide)
	serves := f.side.Load() == serverSide
	if serves && !f.greeted.Load() {
		return dst, errSilent
	}
	if m.Mtype() == message.TypePush {
		if method, ok := strings.CutPrefix(m.ServiceMethod(), wire.ControlPrefix); ok && serves {
			return appendControl(dst, method, m.Seq(), m.Meta().Get(wire.MetaHello)), nil
		}
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
	dst, err = p.body(dst, m, false)
	if err != nil {
		return dst, err
	}
	p.add("Accept-Encoding", "gzip")
	p.add("Content-Length", strconv.Itoa(len(dst)-start))
	p.add("Content-Type", GetContentType(m.BodyCodec(), "text/plain;charset=utf-8"))
	p.add("User-Agent", userAgent)
	p.addNumbers(m)
	return p.place(dst, start, "POST ", target, " HTTP/1.1"), nil
}

// headerControl names the control message that a response stands for.
const headerControl = "X-Erpc-Control"

// appendControl appends a control message of the side that has accepted the
// connection. That side does not send requests on its own, because there may still
// be a proxy in between. So it is an interim response, which clients that do not
// know it ignore.
func appendControl(dst []byte, method string, seq int32, hello string) []byte {
	dst = append(dst, "HTTP/1.1 102 Processing\r\n"+headerControl+": "...)
	dst = append(append(dst, method...), "\r\n"...)
	dst = appendNumbers(dst, message.TypePush, seq)
	if hello != "" {
		dst = append(append(append(dst, wire.MetaHello+": "...), hello...), "\r\n"...)
	}
	return append(dst, "\r\n"...)
}

func appendNumbers(dst []byte, mtype byte, seq int32) []byte {
	dst = strconv.AppendInt(append(dst, "X-Mtype: "...), int64(mtype), 10)
	dst = strconv.AppendInt(append(dst, "\r\nX-Seq: "...), int64(seq), 10)
	return append(dst, "\r\n"...)
}

func (p *packer) addNumbers(m *message.Message) {
	p.add("X-Mtype", strconv.Itoa(int(m.Mtype())))
	p.add("X-Seq", strconv.Itoa(int(m.Seq())))
}

// requestTarget returns the target for the request line, and the host of an
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
		return "", "", fmt.Errorf("httproto: the service method is not a URL: %w", err)
	}
	target = u.EscapedPath()
	if target == "" {
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
	dst, err = p.body(dst, m, failed)
	if err != nil {
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

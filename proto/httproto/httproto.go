package httproto

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// Defaults of [Config].
const (
	DefaultMaxLine   = 8 << 10  // bytes
	DefaultMaxHead   = 64 << 10 // bytes
	DefaultMaxFields = 128
	DefaultGzipFrom  = 1 << 10 // bytes
)

// A Config adjusts the protocol. The zero value is ready to use.
type Config struct {
	MaxLine   int // bytes of one line of a head
	MaxHead   int // bytes of a head, which also counts for the read limit
	MaxFields int // header fields

	// GzipFrom is the size, in bytes, from which a body is compressed for an
	// HTTP client that takes that; below 0 none is. An erpc peer gets what the
	// filters of its message say.
	GzipFrom int
	// Methods are those that HTTP clients may call handlers with; default GET,
	// HEAD, POST, PUT, PATCH and DELETE. OPTIONS is always answered. An erpc
	// peer uses POST.
	Methods []string
	// CORS lets scripts of other origins call; nil lets none.
	CORS *CORS
	// Status returns the status of HTTP, 200 to 599, that an HTTP client gets
	// for a code of erpc other than 0. Default: 400 to 599 stand for
	// themselves, all others are 500.
	Status func(code int32) int
	// Host is the Host header of requests whose service method is no absolute
	// URL and whose metadata have none; default: the address of the server.
	Host string
	// Print is called with each message as it is on the wire, by several
	// goroutines. It must not keep or change the bytes.
	Print func(sent bool, text []byte)
}

// NewHTTProtoFunc returns a function that makes the protocol, as [New] does
// with the zero Config. With printMessage, messages are logged by
// [slog.Default].
func NewHTTProtoFunc(printMessage ...bool) proto.Func {
	var cfg Config
	if len(printMessage) > 0 && printMessage[0] {
		cfg.Print = func(sent bool, text []byte) {
			slog.Info("httproto: message", "sent", sent, "text", string(text))
		}
	}
	return New(cfg)
}

// New returns a function that makes the protocol for a connection. It panics on
// a configuration that can't work, which is a mistake in the program.
func New(cfg Config) proto.Func {
	set(&cfg.MaxLine, DefaultMaxLine)
	set(&cfg.MaxHead, DefaultMaxHead)
	set(&cfg.MaxFields, DefaultMaxFields)
	set(&cfg.GzipFrom, DefaultGzipFrom)
	if cfg.Methods == nil {
		cfg.Methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
	}
	if cfg.Status == nil {
		cfg.Status = statusOf
	}
	s := &shared{Config: cfg, allow: strings.Join(append(cfg.Methods[:len(cfg.Methods):len(cfg.Methods)], "OPTIONS"), ", ")}
	s.cors = cfg.CORS.complete()
	return func() proto.Proto { return &format{cfg: s} }
}

func set(n *int, def int) {
	if *n == 0 {
		*n = def
	}
}

// shared is what the connections of one [New] have in common.
type shared struct {
	Config
	allow string // value of the Allow header
	cors  *cors
}

// A format speaks HTTP on one connection. Either side of it may turn out to be
// an erpc peer, which numbers its messages, or not.
type format struct {
	cfg  *shared
	conn proto.Conn // nil if nobody told
	host string     // of the other side, "" if unknown

	turn   atomic.Pointer[turn] // the request that is being answered, of a client that numbers none
	client atomic.Bool          // the other side is an HTTP client that is no erpc peer
	ended  atomic.Bool          // no more messages are to be read
	asked  asked

	// Of Unpack:
	now  reading
	head []byte // a head that arrived in pieces
	text []byte // of metadata
	h    fields
	seq  int32 // of the last request without a number
}

// AnswersInOrder implements [proto.InOrder].
func (*format) AnswersInOrder() bool { return true }

// reading is what is known of the message that is being read.
type reading struct {
	reply    bool
	numbered bool // it is of an erpc peer
	seq      int32
	turn     turn
}

// A turn is what an answer to a request without a number has to consider.
type turn struct {
	seq    int32
	noBody bool // of HEAD
	old    bool // HTTP/1.0
	close  bool // the connection ends behind the answer
	gzip   bool // the client takes it
	origin string
}

var (
	_ proto.Proto     = (*format)(nil)
	_ proto.Refuser   = (*format)(nil)
	_ proto.Ender     = (*format)(nil)
	_ proto.Attacher  = (*format)(nil)
	_ proto.Sequencer = (*format)(nil)
)

func (*format) Version() (id byte, name string) { return 'h', "http" }

// CarriesType implements [proto.Limited].
func (*format) CarriesType(mtype byte) bool { return mtype <= message.TypeAuthReply }

// Attach implements [proto.Attacher].
func (f *format) Attach(c proto.Conn) {
	f.conn = c
	switch a := c.RemoteAddr(); {
	case f.cfg.Host != "":
		f.host = f.cfg.Host
	case a == nil:
	default:
		f.host = a.String()
		if _, _, err := net.SplitHostPort(f.host); err != nil || strings.ContainsAny(f.host, `/\`) { // a path
			f.host = "localhost"
		}
	}
}

// Ended implements [proto.Ender].
func (f *format) Ended() bool { return f.ended.Load() }

// Sent implements [proto.Sequencer].
func (f *format) Sent(mtype byte, seq int32) {
	if mtype == message.TypeCall || mtype == message.TypeAuthCall {
		f.asked.add(seq)
	}
}

// Unpack reads the next message. What the protocol answers itself is no
// message: then it reads on.
func (f *format) Unpack(r *bufio.Reader, m *message.Message, limit int) error {
	for {
		if f.ended.Load() {
			return io.EOF
		}
		got, err := f.unpack(r, m, limit)
		if err != nil {
			return err
		}
		if got {
			return nil
		}
		m.Reset()
	}
}

// unpack reads one message of HTTP. got is false if that was none of erpc.
func (f *format) unpack(r *bufio.Reader, m *message.Message, limit int) (got bool, err error) {
	f.now = reading{reply: true} // until a request is seen, nothing can be refused
	if b, err := r.Peek(1); err == nil {
		f.now.reply = b[0] == 'H' && startsReply(r)
	}
	head, err := f.readHead(r, limit)
	if err != nil {
		return false, err
	}
	size := len(head)
	for bytes.HasPrefix(head, []byte("\r\n")) {
		head = head[2:]
	}
	f.print(false, head)
	f.h.reset()
	defer f.h.reset()
	line, rest := nextLine(head)
	if f.now.reply = bytes.HasPrefix(line, []byte("HTTP/")); f.now.reply {
		return f.readReply(r, m, line, rest, size, limit)
	}
	return f.readRequest(r, m, line, rest, size, limit)
}

// startsReply reports whether a status line comes, rather than a request.
func startsReply(r *bufio.Reader) bool {
	b, err := r.Peek(len("HTTP/"))
	return err == nil && string(b) == "HTTP/"
}

func (f *format) print(sent bool, text []byte) {
	if f.cfg.Print != nil {
		f.cfg.Print(sent, text)
	}
}

// inform queues bytes that are no message. It reports whether there is a way to.
func (f *format) inform(b []byte) bool {
	if f.conn == nil {
		return false
	}
	f.print(true, b)
	f.conn.Inform(b)
	return true
}

// A version of HTTP.
type version byte

const (
	http10 version = iota
	http11
)

// parseVersion takes later versions of HTTP/1 for what they are compatible to.
func parseVersion(b []byte) (version, error) {
	if len(b) != len("HTTP/1.1") || !bytes.HasPrefix(b, []byte("HTTP/")) || b[6] != '.' || !isDigit(b[5]) || !isDigit(b[7]) {
		return 0, malformed("version %.20q", b)
	}
	switch {
	case b[5] != '1':
		return 0, refuse(statusVersion, "version %s; only HTTP/1 is known", b)
	case b[7] == '0':
		return http10, nil
	}
	return http11, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

var errClient = fmt.Errorf("httproto: the other side is an HTTP client, which takes no calls or pushes")

package httproto

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/httproto/httpgate"
)

// Defaults of [Config].
const (
	DefaultMaxLine   = 8 << 10  // bytes
	DefaultMaxHead   = 64 << 10 // bytes
	DefaultMaxFields = httpgate.DefaultMaxFields
	DefaultGzipFrom  = httpgate.DefaultGzipFrom // bytes
)

type (
	// A CORS says what scripts of other origins may do. See [httpgate.CORS].
	CORS = httpgate.CORS
	// A Route is a path that stands for a service method. See [httpgate.Route].
	Route = httpgate.Route
)

// A Config adjusts the protocol. The zero value is ready to use.
type Config struct {
	MaxLine   int `yaml:"max_line" ini:"max_line" comment:"Bytes of one line of a head, between erpc peers; 0 is 8 KiB"`
	MaxHead   int `yaml:"max_head" ini:"max_head" comment:"Bytes of a head; 0 is 64 KiB"`
	MaxFields int `yaml:"max_fields" ini:"max_fields" comment:"Header fields; 0 is 128"`

	// The following are for HTTP clients only; see [httpgate.Config].

	GzipFrom  int                  `yaml:"gzip_from" ini:"gzip_from" comment:"Size in bytes from which bodies for HTTP clients are compressed; 0 is 1 KiB, below 0 none is"`
	Methods   []string             `yaml:"methods" ini:"methods" comment:"HTTP methods that handlers may be called with; none is GET, HEAD, POST, PUT, PATCH and DELETE"`
	CORS      *CORS                `yaml:"cors" ini:"cors" comment:"What scripts of other origins may do; left out, nothing"`
	Status    func(code int32) int `yaml:"-" ini:"-"` // of HTTP for a code of erpc
	Routes    []Route              `yaml:"routes" ini:"routes" comment:"Paths that stand for a service method"`
	Hosts     []string             `yaml:"hosts" ini:"hosts" comment:"Names of the server; requests for others are refused; none is every name"`
	Challenge string               `yaml:"challenge" ini:"challenge" comment:"WWW-Authenticate of a 401; empty is Bearer"`
	UnsafeGET bool                 `yaml:"unsafe_get" ini:"unsafe_get" comment:"GET and HEAD may call every handler, as erpc v7 lets them"`
	AnyOrigin bool                 `yaml:"any_origin" ini:"any_origin" comment:"Accept requests of pages of every origin"`

	// Host is the Host header of requests whose service method is not an absolute
	// URL and whose metadata name none; default: the address of the server.
	Host string `yaml:"host" ini:"host" comment:"Host header of requests that name none; empty is the address of the server"`
	// with each read and write, from several goroutines. It must not retain or
	// change the bytes.
	Print func(sent bool, text []byte) `yaml:"-" ini:"-"`
}

// NewHTTProtoFunc returns the protocol with the zero Config, see [New]. With
// printMessage, messages are logged to [slog.Default].
func NewHTTProtoFunc(printMessage ...bool) proto.Func {
	var cfg Config
	if len(printMessage) > 0 && printMessage[0] {
		cfg.Print = func(sent bool, text []byte) {
			slog.Info("httproto: message", "sent", sent, "text", string(text))
		}
	}
	return New(cfg)
}

// New returns a function that makes the protocol for a connection. It panics on an
// invalid configuration, which is a mistake in the program.
func New(cfg Config) proto.Func {
	set(&cfg.MaxLine, DefaultMaxLine)
	set(&cfg.MaxHead, DefaultMaxHead)
	set(&cfg.MaxFields, DefaultMaxFields)
	s := &shared{Config: cfg}
	httpgate.Check(s.gate())
	return func() proto.Proto { return &format{cfg: s} }
}

func set(n *int, def int) {
	if *n == 0 {
		*n = def
	}
}

// shared is shared by the connections of one [New].
type shared struct {
	Config

	mu      sync.Mutex // guards the following
	servers map[proto.Host]*httpgate.Server
}

// gate returns the configuration of the server of HTTP clients.
func (s *shared) gate() httpgate.Config {
	return httpgate.Config{
		MaxFields: s.MaxFields, GzipFrom: s.GzipFrom, Methods: s.Methods, CORS: s.CORS, Status: s.Status,
		Routes: s.Routes, Hosts: s.Hosts, Challenge: s.Challenge, UnsafeGET: s.UnsafeGET, AnyOrigin: s.AnyOrigin,
	}
}

// A format speaks HTTP on one connection between erpc peers, or to an HTTP
// server that does not know erpc.
type format struct {
	cfg  *shared
	conn proto.Conn // nil if Attach was not called
	host string     // of the other side, "" if unknown

	side    atomic.Int32 // one of the sides below
	greeted atomic.Bool  // the other side has sent a request
	ended   atomic.Bool  // no more messages are to be read
	asked   asked

	// Of Unpack:
	now  reading
	head []byte // a head that arrived in pieces
	text []byte // of metadata
	h    fields
}

// AnswersInOrder implements [proto.InOrder].
func (*format) AnswersInOrder() bool { return true }

// Which side of a connection a format is on. If it is not set, the side that sends
// the first request is the client.
const (
	unknownSide int32 = iota
	clientSide
	serverSide
)

// reading is what is known about the message that is being read.
type reading struct {
	reply    bool
	numbered bool // it comes from an erpc peer
	seq      int32
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

// Unpack reads the next message. Requests that the protocol answers itself are not
// messages; it skips them.
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

// unpack reads one message of HTTP. got is false if it was not a message of erpc.
func (f *format) unpack(r *bufio.Reader, m *message.Message, limit int) (got bool, err error) {
	f.now = reading{reply: true} // before a request has begun, nothing can be refused
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
	f.now.reply = bytes.HasPrefix(line, []byte("HTTP/"))
	if f.now.reply {
		return f.readReply(r, m, line, rest, size, limit)
	}
	return true, f.readRequest(r, m, line, rest, size, limit)
}

// startsReply reports whether the next line is a status line rather than a
// request.
func startsReply(r *bufio.Reader) bool {
	b, err := r.Peek(len("HTTP/"))
	return err == nil && string(b) == "HTTP/"
}

func (f *format) print(sent bool, text []byte) {
	if f.cfg.Print != nil {
		f.cfg.Print(sent, text)
	}
}

// inform queues bytes that are not a message.
func (f *format) inform(b []byte) {
	if f.conn != nil {
		f.print(true, b)
		f.conn.Inform(b)
	}
}

// A version of HTTP.
type version byte

const (
	http10 version = iota
	http11
)

// parseVersion takes later versions of HTTP/1 for HTTP/1.1, with which they are
// compatible.
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

var errSilent = fmt.Errorf("httproto: the other side has sent no request yet; until then nothing may be sent to it")

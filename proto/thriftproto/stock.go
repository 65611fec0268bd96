package thriftproto

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto"
)

// A Transport is how a stock client frames its messages.
type Transport byte

// Transports. Unframed ("buffered") messages are not supported: their length is
// unknown until they are decoded.
const (
	Framed Transport = iota // TFramedTransport
	Header                  // THeaderTransport: metadata travels too
)

// A Protocol is how a stock client writes its messages.
type Protocol byte

// Protocols.
const (
	Binary  Protocol = iota // TBinaryProtocol, strict
	Compact                 // TCompactProtocol
)

var (
	transports = valueNames{"framed", "header"}
	protocols  = valueNames{"binary", "compact"}
)

// valueNames are those of values that a file can hold, which begin at 0.
type valueNames []string

func (n valueNames) text(v byte) ([]byte, error) {
	if int(v) >= len(n) {
		return nil, fmt.Errorf("thriftproto: %d is none of %s", v, strings.Join(n, ", "))
	}
	return []byte(n[v]), nil
}

func (n valueNames) value(text []byte) (byte, error) {
	i := slices.Index(n, string(text))
	if i < 0 {
		return 0, fmt.Errorf("use one of %s", strings.Join(n, ", "))
	}
	return byte(i), nil
}

// MarshalText implements [encoding.TextMarshaler]: framed or header.
func (t Transport) MarshalText() ([]byte, error) { return transports.text(byte(t)) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *Transport) UnmarshalText(text []byte) error {
	v, err := transports.value(text)
	if err == nil {
		*t = Transport(v)
	}
	return err
}

// MarshalText implements [encoding.TextMarshaler]: binary or compact.
func (p Protocol) MarshalText() ([]byte, error) { return protocols.text(byte(p)) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Protocol) UnmarshalText(text []byte) error {
	v, err := protocols.value(text)
	if err == nil {
		*p = Protocol(v)
	}
	return err
}

// StockConfig configures how a peer talks to stock Thrift clients and servers. The
// zero value serves all kinds of clients, and calls over framed binary.
type StockConfig struct {
	// Service is the thrift service of names without one. Clients name a service
	// only if they are multiplexed: "Calculator:add".
	Service string `yaml:"service" ini:"service" comment:"Thrift service that is meant by names without one"`

	// Mapper makes a service method from the names of service and method, both in
	// Go style: get_item is GetItem. With the mapper of the peer's routes, such as
	// erpc.HTTPServiceMethodMapper, it finds a controller that has the name of the
	// service and methods with Go names. Nil means RPC style:
	// "Calculator.GetItem".
	Mapper func(prefix, name string) (serviceMethod string) `yaml:"-" ini:"-"`

	// Oneway lists the methods that are oneway, as in the thrift file. Clients of
	// Thrift's Go library send these as calls, and would take an answer for that
	// of their next call. Methods that are called only by other clients, which
	// mark them as oneway, need not be listed.
	Oneway []string `yaml:"oneway" ini:"oneway" comment:"Methods that are oneway in the thrift file"`

	// Concurrent handles calls of one connection concurrently and answers each
	// when it is done, for clients that match replies by sequence number, as erpc
	// does. Otherwise they are handled one after another, as Thrift's own servers
	// do and pipelining clients rely on; then a handler must not wait for a call
	// to its own caller, and does not learn that its caller has given up.
	Concurrent bool `yaml:"concurrent" ini:"concurrent" comment:"Handle the calls of a connection at the same time, and answer them as they are done"`

	// Transport and Protocol are for calls that the peer makes. Calls that it
	// receives are answered as they arrive.
	Transport Transport `yaml:"transport" ini:"transport" comment:"For calls from here: framed or header"`
	Protocol  Protocol  `yaml:"protocol" ini:"protocol" comment:"For calls from here: binary or compact"`

	// Multiplexed makes calls of this peer name Service too. Calls of another
	// service always name it.
	Multiplexed bool `yaml:"multiplexed" ini:"multiplexed" comment:"Calls from here name the service too"`
}

// NewStockProtoFunc returns a function that makes Apache Thrift's own format for
// a connection, for clients and servers that the thrift compiler generates.
// Whether a client frames with TFramedTransport or THeaderTransport (with zlib or
// without), in binary or compact protocol, is seen from its first bytes.
//
// # Serving
//
// A handler takes the struct of arguments that the compiler generates for Go and
// returns the struct of results, in which it sets Success or one of the declared
// exceptions, and nothing for void:
//
//	func (*Calculator) Add(args *gen.CalculatorAddArgs) (*gen.CalculatorAddResult, *erpc.Status)
//
// It is registered under the service method that [StockConfig].Mapper makes. A
// oneway method is a push handler. A status that is not OK becomes a
// TApplicationException with the text of the status: UNKNOWN_METHOD for
// CodeNotFound, INVALID_MESSAGE_TYPE for CodeMtypeNotAllowed, PROTOCOL_ERROR for
// arguments that can't be decoded, INTERNAL_ERROR for all others. A stock client
// reads only replies to its calls: don't push to one.
//
// # Calling
//
// Methods are named as in the thrift file, with a service in front or without:
// "add", "Calculator.add"; names in Go style are not converted. Argument and
// result are the same two structs:
//
//	var result gen.CalculatorAddResult
//	st := sess.Call("add", &gen.CalculatorAddArgs{A: 1, B: 2}, &result).Status()
//
// A push is a oneway message. A TApplicationException becomes a status with its
// text as the cause; declared exceptions are in the result.
//
// # What travels
//
// Sequence numbers travel both ways. Metadata travels as the headers of
// THeaderTransport; other transports carry none. Over THeaderTransport the whole
// status travels too, between two peers of erpc. There are no transfer filters, no
// codecs other than thrift, and no AUTH messages.
func NewStockProtoFunc(c StockConfig) proto.Func {
	n := newNames(c)
	return func() proto.Proto {
		s := &stock{names: n, concurrent: c.Concurrent, asked: map[int32]string{}}
		s.speak(dialect{header: c.Transport == Header, compact: c.Protocol == Compact})
		return s
	}
}

// stock is the format of one connection.
type stock struct {
	names      names
	concurrent bool
	dialect    atomic.Value // of the last call read, or that of the config

	mu    sync.Mutex       // guards the following
	asked map[int32]string // method on the wire by sequence number: replies repeat it
}

func (*stock) Version() (id byte, name string) { return 'T', "thrift" }

// CarriesType implements [proto.Limited].
func (*stock) CarriesType(mtype byte) bool { return mtype <= message.TypePush }

func (s *stock) speak(d dialect) { s.dialect.Store(d) }

// ask remembers a call until its reply is packed.
func (s *stock) ask(seq int32, method string) {
	s.mu.Lock()
	s.asked[seq] = method
	s.mu.Unlock()
}

func (s *stock) method(seq int32) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[seq]
}

func (s *stock) answered(m *message.Message) {
	if m.Mtype() == message.TypeReply {
		s.mu.Lock()
		delete(s.asked, m.Seq())
		s.mu.Unlock()
	}
}

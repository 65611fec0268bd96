package thriftproto

import (
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

// StockConfig configures how a peer talks to stock Thrift clients and servers. The
// zero value serves all kinds of clients, and calls over framed binary.
type StockConfig struct {
	// Service is the thrift service of names without one. Clients name a service
	// only if they are multiplexed: "Calculator:add".
	Service string

	// Mapper makes a service method from the names of service and method, both in
	// Go style: get_item is GetItem. With the mapper of the peer's routes, such as
	// erpc.HTTPServiceMethodMapper, it finds a controller that has the name of the
	// service and methods with Go names. Nil means RPC style:
	// "Calculator.GetItem".
	Mapper func(prefix, name string) (serviceMethod string)

	// Oneway lists the methods that are oneway, as in the thrift file. Clients of
	// Thrift's Go library send these as calls, and would take an answer for that
	// of their next call. Methods that are called only by other clients, which
	// mark them as oneway, need not be listed.
	Oneway []string

	// Concurrent handles calls of one connection concurrently and answers each
	// when it is done, for clients that match replies by sequence number, as erpc
	// does. Otherwise they are handled one after another, as Thrift's own servers
	// do and pipelining clients rely on; then a handler must not wait for a call
	// to its own caller, and does not learn that its caller has given up.
	Concurrent bool

	// Transport and Protocol are for calls that the peer makes. Calls that it
	// receives are answered as they arrive.
	Transport Transport
	Protocol  Protocol

	// Multiplexed makes calls of this peer name Service too. Calls of another
	// service always name it.
	Multiplexed bool
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

// Command echo is the same work as that of the limit written by hand on other
// libraries of transports: WebSocket by gorilla and by coder, where each
// connection has one caller, and QUIC by quic-go, where each caller has a
// stream of one connection.
package main

import (
	"fmt"
	"os"

	"google.golang.org/protobuf/proto"

	"github.com/goerpc/erpc/bench/rig"
	"github.com/goerpc/erpc/bench/rig/benchpb"
)

func main() {
	rig.Main(
		rig.Variant{Name: "gorilla", Serve: serveGorilla, Dial: dialGorilla},
		rig.Variant{Name: "coder", Serve: serveCoder, Dial: dialCoder},
		rig.Variant{Name: "quic", Serve: serveQUIC, Dial: dialQUIC},
	)
}

// answer makes the reply to a request, behind what b has already.
func answer(b, request []byte) ([]byte, error) {
	var m benchpb.Message
	if err := proto.Unmarshal(request, &m); err != nil {
		return nil, err
	}
	m.Answer()
	return proto.MarshalOptions{}.MarshalAppend(b, &m)
}

// A link is one connection or stream that carries whole messages.
type link interface {
	write(b []byte) error
	read() ([]byte, error) // valid until the next read
}

// serveLink answers requests until the link ends.
func serveLink(l link) error {
	var out []byte
	for {
		in, err := l.read()
		if err != nil {
			return err
		}
		out, err = answer(out[:0], in)
		if err != nil {
			return err
		}
		if err := l.write(out); err != nil {
			return err
		}
	}
}

// caller returns the caller of a link that has no other.
func caller(l link, i int) func() error {
	req, tag := benchpb.NewRequest(), uint32(i)<<16
	var out []byte
	return func() (err error) {
		tag++
		req.Tag(tag)
		out, err = (proto.MarshalOptions{}).MarshalAppend(out[:0], req)
		if err != nil {
			return err
		}
		if err := l.write(out); err != nil {
			return err
		}
		in, err := l.read()
		if err != nil {
			return err
		}
		var reply benchpb.Message
		if err := proto.Unmarshal(in, &reply); err != nil {
			return err
		}
		return reply.Check(tag)
	}
}

// callers returns a client whose caller i has link i.
func callers(links []link) *rig.Client {
	return &rig.Client{NewCaller: func(i int) func() error { return caller(links[i], i) }}
}

// report says why a link has ended; the client sees it end and fails the run.
func report(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
	}
}

package main

import (
	"errors"
	"io"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cmd/erpc/internal/mock"
)

// A conversation is one stream.
type conversation struct {
	s     *standIn
	a     *mock.Answers
	req   *mock.Request
	st    *erpc.UntypedStream
	codec byte

	received int
}

func (x *conversation) run() error {
	more, err := x.receive()
	if err != nil {
		return err
	}
	if err := x.feed(); err != nil {
		return err
	}
	for more {
		x.req.N = x.received
		text, err := x.a.Answer(x.req)
		if err == nil {
			err = x.send(text)
		}
		if err != nil {
			return err
		}
		more, err = x.receive()
		if err != nil {
			return err
		}
	}
	x.req.N = x.received
	text, err := x.a.Result(x.req)
	if err != nil {
		return err
	}
	return x.send(text)
}

// receive receives the next message and makes it the argument of templates. It
// returns false when there are no more.
func (x *conversation) receive() (bool, error) {
	var body []byte
	err := x.st.Recv(&body)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	x.received++
	x.req.Arg = argOf(x.s.decode(x.req.Method, x.codec, body))
	return true, nil
}

func (x *conversation) feed() error {
	for n := 0; ; n++ {
		text, err := x.a.Next(n, x.req)
		if err != nil || len(text) == 0 {
			return err
		}
		if n > 0 && !sleep(x.st.Context(), x.a.Every) {
			return nil // receive reports how the stream ended
		}
		if err := x.send(text); err != nil {
			return err
		}
	}
}

// send sends JSON; it does not send an empty text.
func (x *conversation) send(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	body, err := x.s.encode(x.req.Method, x.codec, text)
	if err != nil {
		return err
	}
	err = x.st.Send(body)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

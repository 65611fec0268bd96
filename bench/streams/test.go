package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// A test is one way to use a stream.
type test struct {
	name string
	run  func(c client, until time.Time) (int, error) // returns how many messages, or round trips
}

const (
	large = 64 << 10 // bytes
	small = 128
)

// The names of the tests are also the column heads of the page.
const (
	oneWayLarge = "64 KiB one way"
	oneWaySmall = "128 B one way"
	pingPong    = "128 B ping-pong"
)

var tests = []test{
	{oneWayLarge, oneWay(large)},
	{oneWaySmall, oneWay(small)},
	{pingPong, func(c client, until time.Time) (int, error) { return echo(c, small, until) }},
}

// A client opens streams to the two handlers of each peer: sink receives all
// messages and answers with their number, and echo answers each message.
type client struct {
	open func(method string) (stream, error)
	stop func()
}

const (
	sinkMethod = "sink"
	echoMethod = "echo"
)

// A stream is the client's end of a stream.
type stream interface {
	send(b []byte) error
	recv() ([]byte, error) // valid until the next recv
	closeSend() error
}

// oneWay sends messages of size bytes until the given time, and waits until all
// have arrived.
func oneWay(size int) func(client, time.Time) (int, error) {
	return func(c client, until time.Time) (int, error) {
		s, err := c.open(sinkMethod)
		if err != nil {
			return 0, err
		}
		b, n := make([]byte, size), 0
		for time.Now().Before(until) {
			for range 1 + 4*large/size/64 { // looking at the clock costs as much as a small message
				if err := s.send(b); err != nil {
					return 0, fmt.Errorf("message %d: %w", n, err)
				}
				n++
			}
		}
		if err := s.closeSend(); err != nil {
			return 0, err
		}
		got, err := s.recv()
		if err != nil {
			return 0, err
		}
		if len(got) != 8 || binary.BigEndian.Uint64(got) != uint64(n) {
			return 0, fmt.Errorf("%x arrived of %d messages", got, n)
		}
		return n, end(s)
	}
}

// echo repeatedly sends a message and waits for the answer.
func echo(c client, size int, until time.Time) (int, error) {
	s, err := c.open(echoMethod)
	if err != nil {
		return 0, err
	}
	b, n := make([]byte, size), 0
	for time.Now().Before(until) {
		binary.BigEndian.PutUint64(b, uint64(n))
		if err := s.send(b); err != nil {
			return 0, err
		}
		got, err := s.recv()
		if err != nil {
			return 0, err
		}
		if len(got) != size || binary.BigEndian.Uint64(got) != uint64(n) {
			return 0, fmt.Errorf("the answer to message %d is another", n)
		}
		n++
	}
	if err := s.closeSend(); err != nil {
		return 0, err
	}
	return n, end(s)
}

// end waits for the end of the stream.
func end(s stream) error {
	_, err := s.recv()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("in place of the end: %w", err)
}

// serve is the handler of each peer; recv and send use its end of the stream.
func serve(method string, recv func() ([]byte, error), send func([]byte) error) error {
	for n := uint64(0); ; n++ {
		b, err := recv()
		switch {
		case errors.Is(err, io.EOF) && method == sinkMethod:
			return send(binary.BigEndian.AppendUint64(nil, n))
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case method == echoMethod:
			if err := send(b); err != nil {
				return err
			}
		}
	}
}

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/goerpc/erpc"
)

// rawChunk is how many bytes -raw sends in one message.
const rawChunk = 64 << 10

func streamFlags(o *options, fs *flag.FlagSet) {
	callFlags(o, fs)
	fs.Lookup("d").Usage = "messages to send: JSON values, `@file`, or - for standard input, as they arrive"
	fs.Lookup("raw").Usage = "send and write bytes unchanged, with a checksum at the end, for uploads and downloads"
	fs.IntVar(&o.count, "count", 0, "end after this many received messages; 0 is at the end of the stream")
}

// runStream opens a stream, sends messages and prints those received, until the
// other side ends it.
func runStream(ctx context.Context, o *options, args []string) error {
	if len(args) < 2 {
		return usagef("stream takes TARGET METHOD [JSON]")
	}
	in, err := o.input(args[2:])
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was only read
	p, sess, err := o.dial(ctx, args[0], nil)
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }() // the outcome is known
	conv, s, err := o.open(ctx, sess, args[1])
	if err != nil {
		return err
	}
	defer s.Close()
	t := &transfer{o: o, conv: conv, s: s}
	sent := make(chan error, 1)
	go func() { // it may still block in standard input when everything else is done
		err := t.send(in)
		sent <- err
		if err != nil {
			s.Close()
		}
	}()
	err = t.receive()
	select {
	case sendErr := <-sent:
		if sendErr != nil {
			return sendErr // the other error is only its consequence
		}
	default:
	}
	if err != nil && ctx.Err() != nil {
		return nil // interrupted by the user, which is the normal end
	}
	if n, got := s.Counts(); o.verbose {
		o.note("%s, %d messages sent, %d received", args[1], n, got)
		for k, v := range s.Trailer().All {
			o.note("%s: %s", k, v)
		}
	}
	return err
}

// open opens the stream within the timeout, which does not bound the stream
// itself.
func (o *options) open(ctx context.Context, sess erpc.Session, method string) (converter, *erpc.UntypedStream, error) {
	short, done := context.WithTimeout(ctx, o.timeout)
	defer done()
	conv := converter{}
	if !o.raw {
		var err error
		conv, err = o.converter(short, sess, method)
		if err != nil {
			return conv, nil, err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(o.timeout, func() { cancel(context.DeadlineExceeded) })
	set := o.settings(ctx)
	if !o.raw {
		set = append(set, erpc.WithBodyCodec(conv.codec), erpc.WithAcceptBodyCodec(conv.codec))
	}
	s, st := sess.OpenStream(ctx, method, set...)
	late.Stop()
	if !st.OK() {
		cancel(nil)
		return conv, nil, failed(st)
	}
	context.AfterFunc(s.Context(), func() { cancel(nil) })
	return conv, s, nil
}

// A transfer is one stream with its checksums, which only -raw uses.
type transfer struct {
	o    *options
	conv converter
	s    *erpc.UntypedStream
}

// send sends everything from in, and then the end. It returns no error if the
// stream has ended meanwhile, because receive returns how it ended.
func (t *transfer) send(in io.Reader) error {
	next := t.next(in)
	sum := sha256.New()
	for {
		m, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		sum.Write(m) // never fails
		if t.s.Send(m) != nil {
			return nil
		}
	}
	meta := new(erpc.Meta)
	if t.o.raw {
		meta.Set(erpc.MetaSHA256, hex.EncodeToString(sum.Sum(nil)))
	}
	_ = t.s.CloseSendMeta(meta) // fails only if the stream has ended
	return nil
}

// next returns a function that returns the next message: a chunk of bytes with
// -raw, a JSON value for codecs that take JSON, else a line.
func (t *transfer) next(in io.Reader) func() ([]byte, error) {
	if t.o.raw {
		return func() ([]byte, error) {
			b := make([]byte, rawChunk)
			n, err := in.Read(b) // don't wait for a full chunk: a user may be typing
			if n > 0 {
				err = nil
			}
			return b[:n], err
		}
	}
	if !t.o.takesJSON() {
		return byLine(in, t.conv.encode)
	}
	dec := json.NewDecoder(in)
	return func() ([]byte, error) {
		var v json.RawMessage
		err := dec.Decode(&v)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, usagef("the messages are not JSON, at byte %d: %v", dec.InputOffset(), err)
		}
		if err != nil {
			return nil, err
		}
		return t.conv.encode(v)
	}
}

// receive prints messages until the stream ends.
func (t *transfer) receive() error {
	sum := sha256.New()
	for n := 1; ; n++ {
		var m []byte
		err := t.s.Recv(&m)
		if errors.Is(err, io.EOF) {
			return t.checked(sum)
		}
		if err != nil {
			return failed(erpc.StatusFromError(err))
		}
		sum.Write(m) // never fails
		if err := t.print(m); err != nil {
			return err
		}
		if n == t.o.count {
			return nil
		}
	}
}

func (t *transfer) print(m []byte) error {
	if t.o.raw {
		_, err := t.o.std.out.Write(m)
		return err
	}
	text, err := t.conv.decode(m)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.o.std.out, t.o.paintJSON(harmlessJSON(oneLine(asJSON(text)))))
	return err
}

// checked verifies the checksum of a download, if the handler has sent one.
func (t *transfer) checked(sum hash.Hash) error {
	want := t.s.Trailer().Get(erpc.MetaSHA256)
	if t.o.raw && want != "" && want != hex.EncodeToString(sum.Sum(nil)) {
		return fmt.Errorf("%w; the output is damaged", erpc.ErrChecksum)
	}
	return nil
}

// oneLine removes the line breaks from a JSON text.
func oneLine(text json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return text // it is JSON
	}
	return b.Bytes()
}

// byLine returns a function that returns the next line, encoded.
func byLine(in io.Reader, encode func([]byte) ([]byte, error)) func() ([]byte, error) {
	r := bufio.NewReader(in)
	return func() ([]byte, error) {
		line, err := r.ReadBytes('\n')
		if len(line) == 0 {
			return nil, err
		}
		return encode(bytes.TrimRight(line, "\r\n"))
	}
}

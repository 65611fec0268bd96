package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cmd/erpc/internal/descriptors"
	"github.com/goerpc/erpc/cmd/erpc/internal/mock"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/plugin/reflect"
)

// serveOptions holds the flags of serve.
type serveOptions struct {
	file      string
	replies   listFlag
	quiet     bool
	delay     time.Duration
	jitter    time.Duration
	errorRate float64
	code      int
}

func serveFlags(o *options, fs *flag.FlagSet) {
	o.schemaFlags(fs)
	fs.StringVar(&o.cert, "cert", "", "PEM `file` with the certificate of the server, for TLS and QUIC")
	fs.StringVar(&o.key, "key", "", "PEM `file` with its key")
	fs.StringVar(&o.serve.file, "f", "", "`file` of rules, in YAML or JSON")
	fs.Var(&o.serve.replies, "reply", "rule `METHOD=TEMPLATE`, may be repeated; the template produces JSON")
	fs.DurationVar(&o.serve.delay, "delay", 0, "time until an answer, for rules that don't set one")
	fs.DurationVar(&o.serve.jitter, "jitter", 0, "maximum of a random time that is added to the delay")
	fs.Float64Var(&o.serve.errorRate, "error-rate", 0, "share of calls that fail, from 0 to 1, for rules that don't set one")
	fs.IntVar(&o.serve.code, "error", 500, "status code of failed calls")
	fs.BoolVar(&o.serve.quiet, "q", false, "do not print received messages")
}

// rules returns the rules of the flags, which come first, and of the file.
func (o *options) rules() (mock.Config, error) {
	var c mock.Config
	if o.serve.file != "" {
		f, err := os.Open(o.serve.file)
		if err != nil {
			return c, usagef("-f: %v", err)
		}
		defer f.Close()
		c, err = mock.Read(f)
		if err != nil {
			return c, usagef("%s: %v", o.serve.file, err)
		}
	}
	var first []mock.Rule
	for _, r := range o.serve.replies {
		method, reply, ok := strings.Cut(r, "=")
		if !ok {
			return c, usagef("-reply %s is not METHOD=TEMPLATE", r)
		}
		first = append(first, mock.Rule{Method: method, Reply: reply})
	}
	c.Methods = append(first, c.Methods...)
	for i := range c.Methods {
		r := &c.Methods[i]
		if r.Delay == 0 && r.Jitter == 0 {
			r.Delay, r.Jitter = o.serve.delay, o.serve.jitter
		}
		if r.ErrorRate == 0 && r.Status == nil && o.serve.errorRate != 0 {
			r.ErrorRate, r.Status = o.serve.errorRate, &mock.Status{Code: int32(o.serve.code), Msg: erpc.CodeText(int32(o.serve.code)), Cause: "a failure of the mock"}
		}
	}
	return c, nil
}

// A standIn is the mock peer that serve runs.
type standIn struct {
	o    *options
	mock *mock.Mock
	set  *descriptors.Set // nil: no types are known

	mu sync.Mutex // guards the output and quiet
}

// runServe listens and answers until the program is interrupted.
func runServe(ctx context.Context, o *options, args []string) error {
	if len(args) != 1 {
		return usagef("serve takes ADDRESS")
	}
	t, err := parseTarget(args[0])
	if err != nil {
		return err
	}
	s := &standIn{o: o}
	rules, err := o.rules()
	if err != nil {
		return err
	}
	s.mock, err = mock.New(rules)
	if err != nil {
		return usagef("%v", err)
	}
	s.set, err = o.descriptors(ctx)
	if err != nil {
		return err
	}
	addr, path := t.addr, ""
	if t.websocket() {
		addr, path, _ = strings.Cut(t.addr, "/")
	}
	cfg, protos := t.peer(path)
	cfg.ListenAddress = addr
	p := erpc.NewPeer(cfg)
	if t.tls {
		cert, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return errors.Join(usagef("give -cert and -key: %v", err), p.Close())
		}
		p.SetTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}})
	}
	p.SetUnknownCall(s.call)
	p.SetUnknownPush(s.push, ordered)
	p.SetUnknownStream(s.stream)
	return s.run(ctx, p, protos)
}

// run serves and pushes until ctx ends.
func (s *standIn) run(ctx context.Context, p erpc.Peer, protos []erpc.ProtoFunc) error {
	lis, err := p.Listen()
	if err != nil {
		return errors.Join(connectionError{erpc.NewStatusByCodeText(erpc.CodeDialFailed, err, false)}, p.Close())
	}
	fmt.Fprintln(s.o.std.err, "serving on", lis.Addr())
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	for _, push := range s.mock.Pushes {
		wg.Go(func() {
			if err := s.pushAll(ctx, p, push); err != nil {
				cancel(err)
			}
		})
	}
	wg.Go(func() { cancel(p.Serve(lis, protos...)) })
	<-ctx.Done()
	err = p.Close()
	wg.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, erpc.ErrClosed) {
		return errors.Join(cause, err)
	}
	return err
}

// pushAll pushes to all sessions repeatedly.
func (s *standIn) pushAll(ctx context.Context, p erpc.Peer, push *mock.Pusher) error {
	tick := time.NewTicker(push.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		body, err := push.Body()
		if err != nil {
			return usagef("push %s: %v", push.Method, err)
		}
		p.Broadcast(push.Method, body, erpc.WithBodyCodec(codec.ID_JSON)) // receivers notice a failure themselves
	}
}

// An arrival is what serve prints for each message.
type arrival struct {
	Time   time.Time           `json:"time"`
	Kind   string              `json:"kind"`
	Method string              `json:"method"`
	From   string              `json:"from"`
	Meta   map[string][]string `json:"meta,omitempty"`
	Body   json.RawMessage     `json:"body,omitempty"`
	Code   int32               `json:"code,omitempty"` // of the answer
}

// read returns the template values of a message, and the line to print about
// it.
func (s *standIn) read(ctx erpc.PushCtx, kind string, body []byte) (*mock.Request, arrival) {
	r := &mock.Request{Method: ctx.ServiceMethod(), Session: ctx.Session().ID(), Meta: map[string]string{}}
	line := arrival{Time: time.Now(), Kind: kind, Method: r.Method, From: ctx.Session().RemoteAddr().String(), Meta: map[string][]string{}}
	ctx.VisitMeta(func(k, v []byte) { line.Meta[string(k)] = append(line.Meta[string(k)], string(v)) })
	for k, v := range line.Meta {
		r.Meta[k] = v[0]
	}
	if kind != reflect.Stream {
		line.Body = s.decode(r.Method, ctx.GetBodyCodec(), body)
		r.Arg = argOf(line.Body)
	}
	return r, line
}

// print prints a received message.
func (s *standIn) print(line arrival) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.o.serve.quiet {
		return
	}
	if err := s.o.line(line); err != nil {
		s.o.serve.quiet = true // the reader of the output is gone; keep serving
		fmt.Fprintln(s.o.std.err, "erpc:", err)
	}
}

// argOf decodes JSON for templates.
func argOf(text json.RawMessage) (v any) {
	if json.Unmarshal(text, &v) != nil {
		return nil // can't happen: it is valid JSON
	}
	return v
}

// decode returns an argument as JSON.
func (s *standIn) decode(method string, id byte, body []byte) json.RawMessage {
	decode := converterOf(id).decode
	if id == codec.ID_PROTOBUF && s.set != nil {
		if m, ok := s.set.Method(method); ok {
			decode = m.DecodeArg
		}
	}
	text, err := decode(body)
	if err != nil {
		text = body // show it unchanged
	}
	return oneLine(asJSON(text))
}

// encode encodes a result from JSON.
func (s *standIn) encode(method string, id byte, text []byte) ([]byte, error) {
	if id != codec.ID_PROTOBUF {
		return converterOf(id).encode(text)
	}
	if s.set == nil {
		return nil, errors.New("protobuf needs types; give -proto or -protoset")
	}
	m, ok := s.set.Method(method)
	if !ok {
		return nil, fmt.Errorf("the .proto files have no method %s", method)
	}
	return m.EncodeResult(text)
}

// begin finds the answers to a message, waits as long as its rule says, and
// returns the status if the message should fail.
func (s *standIn) begin(ctx erpc.PushCtx, kind string, body []byte) (*mock.Answers, *mock.Request, *erpc.Status) {
	req, line := s.read(ctx, kind, body)
	a := s.mock.Find(req.Method)
	if a == nil {
		line.Code = erpc.CodeNotFound
		s.print(line)
		return nil, nil, erpc.NewStatusByCodeText(erpc.CodeNotFound, "no rule fits", false)
	}
	wait, fails := a.Begin(req)
	if fails != nil {
		line.Code = fails.Code
	}
	s.print(line)
	if !sleep(ctx.Context(), wait) {
		return nil, nil, erpc.NewStatusByCodeText(erpc.CodeHandleTimeout, context.Cause(ctx.Context()), false)
	}
	if fails != nil {
		return nil, nil, erpc.NewStatus(fails.Code, fails.Msg, fails.Cause)
	}
	return a, req, nil
}

// sleep waits for d and reports whether ctx did not end first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// broken returns the status for a rule that can't answer.
func (s *standIn) broken(method string, err error) *erpc.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.o.std.err, "erpc:", harmless(method+": "+err.Error()))
	return erpc.NewStatusByCodeText(erpc.CodeInternalServerError, err, false)
}

// call is the handler of all calls.
func (s *standIn) call(ctx erpc.UnknownCallCtx) (any, *erpc.Status) {
	a, req, st := s.begin(ctx, reflect.Call, ctx.InputBodyBytes())
	if st != nil {
		return nil, st
	}
	id := ctx.GetBodyCodec()
	if c, ok := ctx.(erpc.CallCtx); ok {
		id = c.ReplyBodyCodec()
	}
	text, err := a.Result(req)
	if err != nil {
		return nil, s.broken(req.Method, err)
	}
	for k, v := range a.Meta {
		ctx.AddMeta(k, v)
	}
	if len(text) == 0 {
		return nil, nil
	}
	body, err := s.encode(req.Method, id, text)
	if err != nil {
		return nil, s.broken(req.Method, err)
	}
	return body, nil
}

// push is the handler of all pushes.
func (s *standIn) push(ctx erpc.UnknownPushCtx) *erpc.Status {
	_, line := s.read(ctx, reflect.Push, ctx.InputBodyBytes())
	s.print(line)
	return nil
}

// stream is the handler of all streams: it sends the feed, answers messages,
// and replies at the end.
func (s *standIn) stream(ctx erpc.CallCtx, st *erpc.UntypedStream) *erpc.Status {
	a, req, fails := s.begin(ctx, reflect.Stream, nil)
	if fails != nil {
		return fails
	}
	for k, v := range a.Meta {
		ctx.AddMeta(k, v)
	}
	x := &conversation{s: s, a: a, req: req, st: st, codec: ctx.GetBodyCodec()}
	err := x.run()
	var status *erpc.StatusError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &status):
		return erpc.StatusFromError(err)
	}
	return s.broken(req.Method, err)
}

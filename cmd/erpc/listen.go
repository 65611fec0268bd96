package main

import (
	"context"
	"encoding/json"
	"flag"
	"strings"
	"sync"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/limit"
)

// listenOptions holds the flags of listen.
type listenOptions struct{ join string }

func listenFlags(o *options, fs *flag.FlagSet) {
	fs.StringVar(&o.listen.join, "join", "", "call `METHOD=JSON` first, for example to subscribe")
	fs.IntVar(&o.count, "count", 0, "end after this many pushes; 0 is never")
}

// A pushed is a push as listen prints it.
type pushed struct {
	Time   time.Time           `json:"time"`
	Method string              `json:"method"`
	Meta   map[string][]string `json:"meta,omitempty"`
	Body   json.RawMessage     `json:"body"`
}

// A printer prints pushes until it has printed enough or printing fails.
type printer struct {
	o    *options
	done chan struct{} // closed at the end

	mu  sync.Mutex // guards the following
	n   int
	err error
	end bool
}

// push is the handler of all pushes. It prints one.
func (p *printer) push(ctx erpc.UnknownPushCtx) *erpc.Status {
	line := pushed{Time: time.Now(), Method: ctx.ServiceMethod(), Meta: map[string][]string{}, Body: asJSON(ctx.InputBodyBytes())}
	ctx.VisitMeta(func(k, v []byte) { line.Meta[string(k)] = append(line.Meta[string(k)], string(v)) })
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.end {
		return nil
	}
	p.err = p.o.line(line)
	p.n++
	if p.err != nil || p.n == p.o.count {
		p.end = true
		close(p.done)
	}
	return nil
}

// ordered makes the pushes of a session be printed in the order of their
// arrival.
var ordered = limit.Ordered()

// joinOf parses the call of a flag -join.
func joinOf(flag string) (request, error) {
	method, arg, _ := strings.Cut(flag, "=")
	if arg != "" && !json.Valid([]byte(arg)) {
		return request{}, usagef("-join: the argument is not JSON")
	}
	return request{method: method, body: []byte(arg)}, nil
}

// join makes the call of -join, if there is one.
func (o *options) join(ctx context.Context, sess erpc.Session, r request) error {
	if r.method == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	return failed(sess.Call(r.method, r.argOf(), nil, o.settings(ctx)...).Status())
}

// runListen prints pushes until the program is interrupted or the session ends.
func runListen(ctx context.Context, o *options, args []string) error {
	if len(args) != 1 {
		return usagef("listen takes TARGET")
	}
	join, err := joinOf(o.listen.join)
	if err != nil {
		return err
	}
	out := &printer{o: o, done: make(chan struct{})}
	p, sess, err := o.dial(ctx, args[0], func(p erpc.Peer) { p.SetUnknownPush(out.push, ordered) })
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }() // an error does not change the outcome
	if err := o.join(ctx, sess, join); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-out.done:
		out.mu.Lock()
		defer out.mu.Unlock()
		return out.err
	case <-sess.CloseNotify():
		return connectionError{erpc.NewStatusByCodeText(erpc.CodeConnClosed, "the session has ended", false)}
	}
}

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/goerpc/erpc"
)

// A request is a call or push that can be made repeatedly.
type request struct {
	method string
	body   []byte
	set    []erpc.MessageSetting
	result func([]byte) ([]byte, error) // converts the result to JSON
}

// prepare converts the argument to its codec.
func (o *options) prepare(ctx context.Context, sess erpc.Session, method string, arg []byte) (*request, error) {
	conv, err := o.converter(ctx, sess, method)
	if err != nil {
		return nil, err
	}
	r := &request{method: method, result: conv.decode}
	r.body, err = conv.encode(arg)
	if err != nil {
		return nil, err
	}
	r.set = []erpc.MessageSetting{erpc.WithBodyCodec(conv.codec), erpc.WithAcceptBodyCodec(conv.codec)}
	return r, nil
}

// argOf returns the body as an argument: nil if there is none.
func (r *request) argOf() any {
	if len(r.body) == 0 {
		return nil
	}
	return r.body
}

// runCall makes one call and prints its result.
func runCall(ctx context.Context, o *options, args []string) error {
	return o.exchange(ctx, args, func(ctx context.Context, sess erpc.Session, r *request) error {
		var body []byte
		start := time.Now()
		cmd := sess.Call(r.method, r.argOf(), &body, append(o.settings(ctx), r.set...)...)
		st := cmd.Status()
		o.note("%s in %v, %d bytes sent, %d received", r.method, time.Since(start).Round(time.Microsecond), len(r.body), len(body))
		if o.verbose && cmd.InputMeta() != nil {
			for k, v := range cmd.InputMeta().All {
				o.note("%s: %s", k, v)
			}
		}
		if err := failed(st); err != nil {
			return err
		}
		if o.raw {
			_, err := o.std.out.Write(body)
			return err
		}
		text, err := r.result(body)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(o.std.out, o.paintJSON(harmlessJSON(oneLine(asJSON(text)))))
		return err
	})
}

// runPush makes one push and waits until it is written to the connection.
func runPush(ctx context.Context, o *options, args []string) error {
	return o.exchange(ctx, args, func(ctx context.Context, sess erpc.Session, r *request) error {
		st := sess.Push(r.method, r.argOf(), append(o.settings(ctx), r.set...)...)
		if err := failed(st); err != nil {
			return err
		}
		if err := sess.Flush(ctx); err != nil {
			return connectionError{erpc.NewStatusByCodeText(erpc.CodeWriteFailed, err, false)}
		}
		return nil
	})
}

// exchange dials, prepares the request and runs f within the timeout.
func (o *options) exchange(ctx context.Context, args []string, f func(context.Context, erpc.Session, *request) error) error {
	if len(args) < 2 {
		return usagef("the arguments are TARGET METHOD [JSON]")
	}
	arg, err := o.argument(args[2:]) // check it before connecting
	if err != nil {
		return err
	}
	p, sess, err := o.dial(ctx, args[0], nil)
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }() // an error does not change the outcome
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	r, err := o.prepare(ctx, sess, args[1], arg)
	if err != nil {
		return err
	}
	return f(ctx, sess, r)
}

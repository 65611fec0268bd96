package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/andeya/erpc/v7"
)

const (
	// callLimit bounds one call: v7 itself waits forever, whatever the context.
	callLimit = 5 * time.Second
	// heartbeatLimit is more than twice v7's rate, because v7 looks once a rate.
	heartbeatLimit = (2*heartbeatRate + 4) * time.Second
)

// client is the dialled session with what it was sent.
type client struct {
	opts     *options
	sess     erpc.Session
	features feature
	pushes   chan pushLine
	beats    *heartbeats
	answer   string // what the server answered the auth token, "" without one
}

// pushed takes a PUSH from the server; when nobody waits for it and the channel
// is full, it is dropped.
func (c *client) pushed(p pushLine) {
	select {
	case c.pushes <- p:
	default:
	}
}

// call runs the checks and reports each on a line of its own.
func call(o *options, out *reporter) error {
	// v7 can hang in Dial, in a write and in Close, and has no way out of any.
	watchdog := time.AfterFunc(o.timeout, func() {
		out.line(checkLine{Check: "timeout", Error: fmt.Sprintf("not done after %s", o.timeout)})
		os.Exit(1)
	})
	defer watchdog.Stop()

	c := &client{opts: o, features: featuresOf(o), pushes: make(chan pushLine, 64), beats: newHeartbeats(nil)}
	plugins := sharedPlugins(o, c.beats)
	if o.auth != "" {
		plugins = append(plugins, authBearer(o.auth, func(answer string) { c.answer = answer }))
	}
	sess, remove, err := dialPeer(o, o.addr, c, plugins, func(p erpc.Peer) {
		routeNote(p, c)
		p.RouteCall(new(Client))
	})
	defer remove()
	line := checkLine{Check: "dial", OK: err == nil}
	if err != nil {
		line.Error = err.Error()
		var failed *dialError
		if errors.As(err, &failed) {
			line.Status = failed.status
		}
	}
	out.line(line)
	if err != nil {
		return errors.New("dial failed")
	}
	c.sess = sess

	if o.busy > 0 {
		line := check{name: "busy", run: func(c *client) outcome { return c.busy(o.busy) }}.do(c)
		out.line(line)
		if !line.OK {
			return errors.New(line.Error)
		}
		return nil
	}
	failures := 0
	for _, k := range checks {
		if !c.wants(k) {
			continue
		}
		line := k.do(c)
		out.line(line)
		if !line.OK {
			failures++
		}
	}
	closePeer(sess.Peer())
	if failures > 0 {
		return fmt.Errorf("%d checks failed", failures)
	}
	return nil
}

func (c *client) wants(k check) bool {
	if c.opts.skip[k.name] {
		return false
	}
	if len(c.opts.only) > 0 { // also what v7's own server can't answer
		return c.opts.only[k.name]
	}
	return k.needs&^c.features == 0
}

// outcome is what a check found. A reply is checked against v7's; err says what
// was wrong with it.
type outcome struct {
	got    any
	status *erpc.Status
	err    error
}

// check is one exchange with the server. It runs when the features that it
// needs are there.
type check struct {
	name  string
	needs feature
	run   func(c *client) outcome
}

func (k check) do(c *client) checkLine {
	o := k.run(c)
	line := checkLine{Check: k.name, OK: o.err == nil, Got: o.got}
	if o.status != nil {
		line.Status = newStatusLine(o.status)
	}
	if o.err != nil {
		line.Error = o.err.Error()
	}
	return line
}

// call makes a call and waits for its reply, at most for callLimit. After an
// error the result may still be written to.
func (c *client) call(method string, arg, result any, settings ...erpc.MessageSetting) (erpc.CallCmd, error) {
	cmd := c.sess.AsyncCall(method, arg, result, make(chan erpc.CallCmd, 1), settings...)
	return cmd, await(cmd)
}

func await(cmd erpc.CallCmd) error {
	timer := time.NewTimer(callLimit)
	defer timer.Stop()
	select {
	case <-cmd.Done():
		return nil
	case <-timer.C:
		return fmt.Errorf("no reply within %s", callLimit)
	}
}

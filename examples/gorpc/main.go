// Command gorpc shows how to do in erpc what users of gorpc know: functions and
// services of a dispatcher, batches, asynchronous calls that are cancelled or
// time out, messages without a reply, too many calls for either side, a handler
// that panics, statistics on both sides, a compressed connection, bounded
// handlers, custom connections, and a server that stops gracefully.
// docs/gorpc.md compares the two.
//
//	go run ./examples/gorpc
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/router/dispatcher"
	"github.com/goerpc/erpc/socket/compress"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gorpc:", err)
		os.Exit(1)
	}
}

// A visits counter is a service that does not depend on erpc.
type visits struct{ n atomic.Int64 }

func (v *visits) Add(n int64) int64 { return v.n.Add(n) }
func (v *visits) Get() int64        { return v.n.Load() }

// services returns the functions and services of the server.
func services() *dispatcher.Dispatcher {
	d := new(dispatcher.Dispatcher)
	d.AddFunc("echo", func(text string) string { return text })
	d.AddFunc("upper", strings.ToUpper)
	d.AddFunc("whoami", func(addr dispatcher.Addr) string { return string(addr) })
	d.AddFunc("divide", func(ab [2]int) (int, error) {
		if ab[1] == 0 {
			return 0, errors.New("division by zero")
		}
		return ab[0] / ab[1], nil
	})
	d.AddFunc("sleep", func(ctx context.Context) error { // waits until the caller cancels the call
		<-ctx.Done()
		return context.Cause(ctx)
	})
	d.AddFunc("crash", func() { panic("a mistake of the handler") })
	d.AddService("monday", new(visits))
	d.AddService("tuesday", new(visits))
	return d
}

// config returns the configuration of both sides: compressed connections, made
// by custom functions.
func config() erpc.PeerConfig {
	own := erpc.CustomTransport{
		Nets: []string{"tcp"},
		DialFunc: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, addr) // this could dial through a proxy
		},
		ListenFunc: func(ctx context.Context, network, addr string) (net.Listener, error) {
			return new(net.ListenConfig).Listen(ctx, network, addr)
		},
	}
	return erpc.PeerConfig{
		ErrorDetail:  true, // clients see the texts of errors, as with gorpc
		LocalIP:      "127.0.0.1",
		Logger:       slog.New(slog.DiscardHandler),
		Transports:   []erpc.Transport{compress.Transport{Over: own}},
		FlushDelay:   time.Millisecond, // fewer packets, each call a little later
		CallTimeout:  5 * time.Second,
		StuckTimeout: 30 * time.Second,
		RedialTimes:  -1,
	}
}

// onConnect does what gorpc's OnConnectFunc does with each connection: it
// checks the address and wraps the connection.
func onConnect(wrap func(net.Conn) net.Conn) erpc.Plugin {
	prepare := func(sess erpc.PreSession) *erpc.Status {
		if host, _, _ := net.SplitHostPort(sess.RemoteAddr().String()); host != "127.0.0.1" {
			return erpc.NewStatus(erpc.CodeUnauthorized, "clients must be local")
		}
		sess.ModifySocket(func(conn net.Conn) (net.Conn, erpc.ProtoFunc) { return wrap(conn), nil })
		return nil
	}
	return &erpc.PluginImpl{
		PluginName:   "on-connect",
		OnPostDial:   func(sess erpc.PreSession, _ bool) *erpc.Status { return prepare(sess) },
		OnPostAccept: prepare,
	}
}

// metered counts the written bytes.
type metered struct {
	net.Conn
	bytes *atomic.Int64
}

func (m metered) Write(b []byte) (int, error) {
	n, err := m.Conn.Write(b)
	m.bytes.Add(int64(n))
	return n, err
}

func run(out io.Writer) error {
	srv := erpc.NewPeer(config())
	defer srv.Close()
	services().Register(srv, limit.New(limit.Config{Handlers: 8, Queue: 100}))
	lis, err := srv.Listen()
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()

	var written atomic.Int64
	cli := erpc.NewPeer(config(), onConnect(func(c net.Conn) net.Conn { return metered{c, &written} }), limit.Pending(100))
	defer cli.Close()
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		return st.Err()
	}
	for _, part := range []func(io.Writer, erpc.Session) error{functions, batch} {
		if err := part(out, sess); err != nil {
			return err
		}
	}
	c, s := cli.Stats(), srv.Stats()
	fmt.Fprintln(out, "stats: client out = server in:", c.MessagesOut == s.MessagesIn, "dials:", c.Dials, "accepts:", s.Accepts)
	cancel(out, sess)
	overload(out, sess)
	fmt.Fprintln(out, "wrapped connection was used:", written.Load() > 0)
	_ = cli.Close() // otherwise it would redial until the server is back
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	if err := srv.Shutdown(ctx); err != nil {
		return err
	}
	<-served
	return nil
}

func functions(out io.Writer, sess erpc.Session) error {
	ctx := context.Background()
	same, err := dispatcher.Func[string, string](sess, "echo")(ctx, "foobar")
	if err != nil {
		return err
	}
	if st := sess.Push("/echo", "fire and forget"); !st.OK() {
		return st.Err()
	}
	crashed := sess.Call("/crash", nil, nil).Status() // affects no other call
	fmt.Fprintln(out, same, "crashed:", crashed.Code())
	text, err := dispatcher.Func[string, string](sess, "upper")(ctx, "hello")
	if err != nil {
		return err
	}
	me, err := dispatcher.Func[dispatcher.None, string](sess, "whoami")(ctx, dispatcher.None{})
	if err != nil {
		return err
	}
	_, err = dispatcher.Func[[2]int, int](sess, "divide")(ctx, [2]int{1, 0})
	fmt.Fprintln(out, text, me == sess.LocalAddr().String(), erpc.StatusFromError(err).Cause())
	return nil
}

func batch(out io.Writer, sess erpc.Session) error {
	b := erpc.NewBatch(sess)
	var sums [3]int64
	for i := range sums {
		n := int64(i + 1)
		b.Call("/monday/Add", &n, &sums[i])
	}
	n := int64(10)
	b.Push("/tuesday/Add", &n) // no reply wanted
	failed := b.Call("/nobody/home", nil, nil)
	st := b.Do(context.Background())
	monday, err := dispatcher.Func[dispatcher.None, int64](sess, "monday/Get")(context.Background(), dispatcher.None{})
	fmt.Fprintln(out, "batch:", st.Code() == erpc.CodeNotFound, failed.Status().Code(), "monday:", monday)
	return err
}

func cancel(out io.Writer, sess erpc.Session) {
	late := sess.Call("/sleep", nil, nil, erpc.WithTimeout(20*time.Millisecond)).Status()
	cmd := sess.AsyncCall("/sleep", nil, nil, nil, erpc.WithCancel())
	cmd.Cancel()
	fmt.Fprintln(out, "late:", late.Code(), "cancelled:", cmd.Status().Code())
}

// overload makes more calls than either side allows.
func overload(out io.Writer, sess erpc.Session) {
	var calls []erpc.CallCmd
	for range 101 {
		calls = append(calls, sess.AsyncCall("/sleep", nil, nil, nil, erpc.WithCancel()))
	}
	here := calls[100].Status()
	fmt.Fprintln(out, "one too many:", here.Code(), errors.Is(here.Cause(), limit.ErrPending))
	for _, c := range calls[:100] {
		c.Cancel()
	}
}

// Command dashboard runs a peer under load with a dashboard:
//
//	go run ./examples/dashboard
//
// Then open http://127.0.0.1:9091/. The peer is a shop that answers searches
// and orders, some slowly and some with errors. Its customers call it, follow
// prices over streams, and chat.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/dashboard"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9091", "loopback address of the dashboard")
	peer := flag.String("peer", "127.0.0.1:9090", "address of the peer")
	customers := flag.Int("customers", 40, "number of sessions")
	calls := flag.Float64("calls", 5, "calls per second of each")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, *peer, *customers, *calls); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, addr string, customers int, calls float64) error {
	level := new(slog.LevelVar)
	shop, err := open(addr, dashboard.New(dashboard.Config{
		Listen:    listen,
		Actions:   true,
		Authorize: loopbackOnly,
		User:      nameOf,
		Level:     level,
	}), slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
	if err != nil {
		return err
	}
	defer shop.peer.Close()
	fmt.Printf("the dashboard is at http://%s/\n", listen)
	return shop.crowd(ctx, customers, calls)
}

// loopbackOnly only allows requests from this machine.
func loopbackOnly(r *http.Request) error {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return errors.New("only from this machine")
	}
	return nil
}

// nameKey is the key of the customer's name in a session's store.
type nameKey struct{}

func nameOf(sess erpc.Session) string {
	name, _ := sess.Swap().Load(nameKey{})
	s, _ := name.(string)
	return s
}

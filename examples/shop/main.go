// Command shop is a shop made of four services: an HTTP gateway for customers,
// orders behind it, and stock and payment behind orders.
//
//	go run ./examples/shop
//
// runs all of them in one process; with names, such as "shop -config shop.yaml
// stock payment", it only runs those services. README.md explains the code.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/goerpc/erpc"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

// maxShutdown bounds the shutdown of each service.
const maxShutdown = 10 * time.Second

func run(ctx context.Context, args []string, out *os.File) error {
	flags := flag.NewFlagSet("shop", flag.ContinueOnError)
	path := flags.String("config", "examples/shop/shop.yaml", "configuration file")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	var cfg Config
	if err := erpc.LoadConfig(*path, "", &cfg); err != nil {
		return err
	}
	names := flags.Args()
	if len(names) == 0 {
		names = []string{"payment", "stock", "orders", "gateway"}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	var running []*service
	defer func() {
		for i := len(running) - 1; i >= 0; i-- { // customers first
			ctx, cancel := context.WithTimeout(context.Background(), maxShutdown)
			if err := running[i].shutdown(ctx); err != nil {
				log.Warn("a service did not shut down cleanly", "service", names[i], "err", err)
			}
			cancel()
		}
	}()
	failed := make(chan error, len(names))
	for _, name := range names {
		s, err := startNamed(ctx, name, &cfg, log)
		if err != nil {
			return err
		}
		running = append(running, s)
		fmt.Fprintf(out, "%s is at %s\n", name, s.addr)
		go func() { failed <- fmt.Errorf("%s: %w", name, <-s.done) }()
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/cluster/nats"
	"github.com/goerpc/erpc/cluster/nats/embed"
)

// The two rooms.
const (
	keptRoom = "kept/lobby"
	freeRoom = "lobby"
)

// A Word is a message of a client in a room.
type Word struct {
	Room   string
	Number int
}

// ready is the line that a node prints once it serves.
const ready = "ready"

// runNode runs a node of the cluster until ctx ends.
func runNode(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("node", flag.ContinueOnError)
	name := flags.String("name", "", "of the node and its server")
	listen := flags.String("listen", "", "where clients dial")
	mesh := flags.String("mesh", "", "where other servers dial")
	routes := flags.String("routes", "", "the other servers, with commas between")
	dir := flags.String("dir", "", "where the server keeps messages")
	url := flags.String("nats", "", "a server that runs elsewhere")
	if err := flags.Parse(args); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	engine := nats.New(*url)
	if *url == "" {
		server, err := embed.Start(embed.Config{
			Name: *name, Listen: *mesh, Routes: strings.Split(*routes, ","), // no Logger: it would warn about servers that have not started yet
			Store: &embed.Store{Dir: filepath.Join(*dir, *name)},
		})
		if err != nil {
			return err
		}
		defer server.Close()
		engine = server.Engine()
	}
	c := cluster.New(engine, cluster.Options{
		History: []cluster.History{{Rooms: "kept/", Size: 10_000}},
	})
	peer := erpc.NewPeer(erpc.PeerConfig{ListenAddress: *listen, Logger: log}, c)
	register(peer, c)
	if err := c.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	lis, err := peer.Listen()
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- peer.Serve(lis) }()
	fmt.Fprintln(out, ready)
	select {
	case <-ctx.Done():
	case err := <-served:
		return err
	}
	leaving, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return peer.Shutdown(leaving)
}

// register registers the handlers of the chat.
func register(peer erpc.Peer, c *cluster.Cluster) {
	c.HandleJoin(peer, "/join", func(context.Context, erpc.Session, string) error {
		return nil // everyone may read both rooms
	})
	erpc.HandleCall(peer, "/say", func(ctx context.Context, w *Word) (*Word, error) {
		return w, c.Publish(ctx, w.Room, "/said", w)
	})
}

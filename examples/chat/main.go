// Command chat is a chat with rooms, for users in a web browser or over raw TCP:
//
//	go run ./examples/chat
//
// prints the address of the page, and the demo's users with their passwords
// (login.go). Every client logs in first:
//
//	TOKEN=$(curl -s -H 'Content-Type: application/json' -d '{"name":"Anna","password":"anna-demo"}' http://127.0.0.1:8080/login | jq -r .token)
//
// The page sends the token with getToken of clients/js. A Go program on raw TCP
// sends it with auth.NewBearerPlugin(auth.Token(token)); then it calls /chat/join
// and /chat/say, and gets the pushes /chat/message and /chat/members. handlers.go
// has their types. To only read, follow the stream /chat/feed with any peer, or
// over HTTP:
//
//	curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8080/chat/rooms
//	curl -N -H "Authorization: Bearer $TOKEN" 'http://127.0.0.1:8080/chat/feed?room=lobby'
//
// Passwords and tokens are sent in clear text: outside of a demo, put TLS in
// front, or give the peer a certificate.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/goerpc/erpc/plugin/limit"
)

// maxShutdown is the deadline of a shutdown.
const maxShutdown = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("chat", flag.ContinueOnError)
	web := flags.String("web", "127.0.0.1:8080", "address of the page, its WebSocket and the HTTP API")
	raw := flags.String("raw", "127.0.0.1:9090", "address for users on raw TCP")
	origins := flags.String("origins", "", "origins of pages on other hosts that may connect, such as https://app.example.com, separated by commas")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	secret := os.Getenv("CHAT_SECRET")
	if secret == "" {
		secret = rand.Text() // users log in again after a restart
	}
	s, err := start(config{
		web: *web, raw: *raw,
		origins:  strings.FieldsFunc(*origins, func(c rune) bool { return c == ',' }),
		logins:   logins{demoUsers, []byte(secret)},
		perUser:  limit.Rate{Per: limit.PerIdentity, Limit: 20, Burst: 50},
		perLogin: limit.Rate{Per: limit.PerIP, Limit: 1, Burst: 10},
		log:      slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "the page is http://%s/, raw TCP is at %s\n", s.webAddr, s.rawAddr)
	for _, name := range slices.Sorted(maps.Keys(demoUsers)) {
		fmt.Fprintf(out, "log in as %s with the password %s\n", name, demoUsers[name])
	}
	select {
	case <-ctx.Done():
	case err = <-s.done: // one of the two listeners has failed
	}
	end, cancel := context.WithTimeout(context.Background(), maxShutdown)
	defer cancel()
	return errors.Join(err, s.shutdown(end))
}

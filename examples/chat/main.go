// Command chat is a chat with rooms, whose guests come by web browser or by raw
// TCP. One program serves the page, its WebSocket, the other guests, and an HTTP
// API that the page asks which rooms there are:
//
//	go run ./examples/chat
//
// prints where to point a browser. A guest of raw TCP calls /chat/join and
// /chat/say, and is pushed /chat/message and /chat/members; handlers.go has
// their types. Who only wants to read follows the stream /chat/feed: by any peer,
// by new EventSource("http://127.0.0.1:8081/chat/feed?room=lobby") in a browser, by
//
//	curl -N 'http://127.0.0.1:8081/chat/feed?room=lobby'
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("chat", flag.ContinueOnError)
	web := flags.String("web", "127.0.0.1:8080", "address of the page")
	raw := flags.String("raw", "127.0.0.1:9090", "address for guests of raw TCP")
	api := flags.String("api", "127.0.0.1:8081", "address of the HTTP API")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	s, err := start(*web, *raw, *api, nil)
	if err != nil {
		return err
	}
	fmt.Printf("the page is http://%s/\nguests of raw TCP come to %s\ncurl http://%s/chat/rooms tells which rooms there are\nand curl -N 'http://%s/chat/feed?room=lobby' follows one\n", s.webAddr, s.rawAddr, s.apiAddr, s.apiAddr)

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	select {
	case <-stop:
	case err = <-s.done: // one of the three has failed
	}
	return errors.Join(err, s.close())
}

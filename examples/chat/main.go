// Command chat is a chat with rooms, for guests in a web browser or over raw
// TCP. One program serves the page, its WebSocket, the guests on TCP, and an
// HTTP API that lists the rooms:
//
//	go run ./examples/chat
//
// prints the address of the page. A guest on raw TCP calls /chat/join and
// /chat/say, and gets the pushes /chat/message and /chat/members; handlers.go
// has their types. To only read, follow the stream /chat/feed with any peer,
// with new EventSource("http://127.0.0.1:8081/chat/feed?room=lobby") in a
// browser, or with
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
	raw := flags.String("raw", "127.0.0.1:9090", "address for guests on raw TCP")
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
	case err = <-s.done: // one of the three listeners has failed
	}
	return errors.Join(err, s.close())
}

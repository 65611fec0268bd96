//go:build linux

package attack

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
)

// oneLineASecond is how many bytes of log a flood over one connection may cause:
// one line of each kind per second, for as long as a slow machine needs.
const oneLineASecond = 24 << 10

// floods returns attacks by large numbers: of log lines, requests, connections, or
// bytes that are not read.
func floods() []attack {
	ended := cost{memory: 48 << 20, cpu: sized(10*time.Second, 60*time.Second), log: oneLineASecond}
	all := []attack{
		{class: "log", name: "pushes to nobody", door: "raw", most: ended, run: func(s *stranger) {
			s.flood(s.raw(erpc.TypePush, "/nobody", 'j', make([]byte, 100)), sized(8<<20, 82<<20))
		}},
		{class: "log", name: "calls of nobody", door: "raw", most: ended, run: func(s *stranger) {
			s.flood(s.raw(erpc.TypeCall, "/nobody", 'j', nil), sized(2<<20, 20<<20))
		}},
		{class: "log", name: "calls of a handler that panics", door: "raw",
			// Ten stacks per second, for as long as a slow machine needs.
			most: cost{ended.memory, ended.cpu, sized[int64](512<<10, 4<<20)}, run: func(s *stranger) {
				s.flood(s.raw(erpc.TypeCall, "/panic", 'p', nil), sized(256<<10, 4<<20))
			}},
		{class: "log", name: "bodies that can't be decoded", door: "raw", most: ended, run: func(s *stranger) {
			s.flood(s.raw(erpc.TypeCall, "/add", 'j', []byte(`{"A":"x`)), sized(1<<20, 10<<20))
		}},
		{class: "log", name: "replies to no call", door: "raw", most: ended, run: func(s *stranger) {
			s.flood(s.raw(erpc.TypeReply, "", 'j', nil), sized(1<<20, 10<<20))
		}},
		{class: "log", name: "names of a megabyte, filtered", door: "raw, filters", most: cost{64 << 20, 5 * time.Second, oneLineASecond}, run: func(s *stranger) {
			body := bytes.Repeat([]byte("a"), 4<<20)
			for _, id := range filters() {
				for _, codec := range []byte{'j', 'x', 'p', 'f'} {
					s.exchange(s.raw(erpc.TypeCall, "/add", codec, body, erpc.WithXferPipe(id)))
				}
			}
		}},
		{class: "log", name: "status causes", door: "raw", most: ended, run: func(s *stranger) {
			cause := string(bytes.Repeat([]byte("a"), 60_000))
			s.flood(s.raw(erpc.TypeReply, "", 'j', nil, erpc.WithStatus(erpc.NewStatus(1000, "m", cause))), sized(8<<20, 64<<20))
		}},
		{class: "slow readers", name: "one client reads 64 KiB in 5 s", door: "broadcast", most: cost{64 << 20, sized(20*time.Second, 60*time.Second), oneLineASecond}, run: slowReader},
		{class: "pipelining", name: "OPTIONS, unread", door: "http", most: cost{32 << 20, sized(5*time.Second, 20*time.Second), 4 << 10}, run: pipelined},
		{class: "mux", name: "a byte at a time", door: "mux", most: cost{8 << 20, sized(1500*time.Millisecond, 5*time.Second), 4 << 10}, run: byteAtATime},
		{class: "mux", name: "silent connections from one address", door: "mux", most: cost{32 << 20, 5 * time.Second, 8 << 10}, run: silentConnections},
		{class: "mux", name: "TLS below 1.2", door: "mux", most: cost{8 << 20, time.Second, 4 << 10}, run: oldTLS},
	}
	for _, door := range []string{"mux", "tls", "https", "wss"} {
		all = append(all, attack{class: "log", name: "bad TLS handshakes", door: door, most: ended, run: badHandshakes})
	}
	return all
}

// badHandshakes opens connections that begin a TLS handshake and break it.
func badHandshakes(s *stranger) {
	for range sized(300, 3000) {
		conn := s.dial()
		_, _ = conn.Write([]byte("\x16\x03\x01\x00\x05garbage")) // the victim may have ended it
		_ = conn.Close()
	}
	s.servesTLS()
}

// servesTLS checks that the victim speaks TLS with an honest client.
func (s *stranger) servesTLS() {
	s.Helper()
	honest := tls.Client(s.dial(), &tls.Config{InsecureSkipVerify: true})
	if err := honest.HandshakeContext(s.Context()); err != nil {
		s.breaks("an honest client gets no handshake: %v", err)
	}
}

// flood sends total bytes of frames over one connection while it reads the
// answers. Then it waits for the answer to an honest call behind them.
func (s *stranger) flood(frame []byte, total int) {
	conn := s.dial()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		drain(conn)
	}()
	batch := bytes.Repeat(frame, max(1, little/len(frame)))
	for sent := 0; sent < total; sent += len(batch) {
		if _, err := conn.Write(batch); err != nil {
			break // the victim may close it
		}
	}
	if tcp, ok := conn.(*countingConn).Conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite() // it may have been ended
	}
	kit.Within(s, patience, "end of a flooding connection", func() { <-answered })
	s.servesOthers()
}

// servesOthers checks that an honest client of a raw door gets an answer.
func (s *stranger) servesOthers() {
	s.Helper()
	kit.Answers(s, kit.Open(s, kit.Peer(s, erpc.PeerConfig{}), s.child.addr))
}

// slowReader counts how much an honest client receives, alone and together with a
// client that reads slowly.
func slowReader(s *stranger) {
	length := sized(2*time.Second, 20*time.Second)
	honest := s.dial()
	count := func() int64 {
		_ = honest.SetReadDeadline(time.Now().Add(length)) // bounds the measurement
		return drain(honest)
	}
	alone := count()
	slow := s.dial()
	if err := slow.(*countingConn).Conn.(*net.TCPConn).SetReadBuffer(little); err != nil {
		s.Fatal(err)
	}
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for b := make([]byte, little); ; {
			_, _ = io.ReadFull(slow, b) // the victim may close it
			select {
			case <-time.After(5 * time.Second):
			case <-stop:
				return
			}
		}
	}()
	beside := count()
	s.Logf("an honest client gets %d MiB alone and %d MiB beside a slow one", alone>>20, beside>>20)
	if beside < alone/10 {
		s.breaks("a slow client cut an honest one from %d to %d bytes", alone, beside)
	}
}

// pipelined sends requests without reading until the victim accepts no more. Then it
// reads and checks that requests were answered in order.
func pipelined(s *stranger) {
	conn := s.dial()
	head := []byte("OPTIONS /add HTTP/1.1\r\nHost: a\r\n\r\n")
	n := sized(20_000, 200_000)
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		batch := bytes.Repeat(head, 1000)
		for range n / 1000 {
			if _, err := conn.Write(batch); err != nil {
				return // the victim may end it
			}
		}
		_, _ = conn.Write([]byte("GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")) // as above
	}()
	time.Sleep(sized(300*time.Millisecond, 2*time.Second)) // nothing is read meanwhile
	all, err := io.ReadAll(conn)
	kit.Within(s, patience, "the writes", func() { <-wrote })
	answers := bytes.Count(all, []byte("HTTP/1.1 "))
	last := bytes.Contains(all, []byte("HTTP/1.1 404"))
	if last && answers != n+1 {
		s.breaks("%d of %d requests were answered, and then the last (%v)", answers-1, n, err)
	}
	if !last && answers > n {
		s.breaks("%d answers to %d requests", answers, n)
	}
}

// byteAtATime sends a head in as many pieces as it has bytes.
func byteAtATime(s *stranger) {
	conn := s.dial()
	if err := conn.(*countingConn).Conn.(*net.TCPConn).SetNoDelay(true); err != nil {
		s.Fatal(err)
	}
	text := fill(sized(15<<10, 57<<10), "GET /", "a", "")
	for i := range text {
		if _, err := conn.Write(text[i : i+1]); err != nil {
			break // the mux has given up
		}
	}
	_ = conn.Close()
	s.servesOthers()
}

// silentConnections opens as many silent connections as the victim accepts.
func silentConnections(s *stranger) {
	for range sized(600, 4200) {
		s.dial()
	}
	// Another address of this host must still be served.
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: patience}
	conn, err := d.Dial("tcp", s.child.addr)
	if err != nil {
		s.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience)) // a broken connection fails anyway
	if _, err := conn.Write(s.raw(erpc.TypeCall, "/add", 'j', []byte(`{"A":1,"B":2}`))); err != nil {
		s.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 4)); err != nil {
		s.breaks("an honest client of another address gets no answer: %v", err)
	}
}

func oldTLS(s *stranger) {
	conn := tls.Client(s.dial(), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if conn.HandshakeContext(s.Context()) == nil {
		s.breaks("TLS 1.1 is spoken")
	}
	s.servesTLS()
}

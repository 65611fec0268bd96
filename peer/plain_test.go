package peer_test

import (
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc/peer"
)

// TestPlainClientOfATLSServerHearsSo connects clients without TLS to a TLS server:
// one of erpc and one of HTTP. Both sides are told what is wrong.
func TestPlainClientOfATLSServerHearsSo(t *testing.T) {
	var log logbook
	server := peer.New(peer.Config{ListenAddress: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	server.SetTLSConfig(peer.GenerateTLSConfigForServer())
	lis, err := server.Listen()
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(lis) }()
	client := peer.New(peer.Config{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		_ = client.Close()
		_ = server.Close()
		<-served
	})

	sess, st := client.Dial(lis.Addr().String())
	if !st.OK() {
		t.Fatal(st)
	}
	st = sess.Call("/x", 1, nil).Status()
	if st.OK() || st.Cause() == nil || !strings.Contains(st.Cause().Error(), "alert of TLS") {
		t.Errorf("the client is told %v", st)
	}
	// The client is told before the server logs; the second one logs nothing if it
	// comes within a second of the first.
	const advice = "give the client a TLS configuration"
	for end := time.Now().Add(10 * time.Second); !strings.Contains(log.String(), advice) && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}

	conn, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.0 400 ") || !strings.Contains(string(answer), "TLS") {
		t.Errorf("the HTTP client is told %q, %v", answer, err)
	}
	if got := log.String(); !strings.Contains(got, advice) {
		t.Errorf("the server logs %s", got) // at most one line a second: that of the first client
	}
}

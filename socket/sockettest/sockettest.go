package sockettest

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/goerpc/erpc/socket"
)

// Options say what is tested. Only Network is required.
type Options struct {
	Network string
	// Addr returns an unused address to listen on; nil means 127.0.0.1:0. It is
	// called for each listener.
	Addr func(*testing.T) string
	// Nobody returns an address without a listener; nil means a free port of
	// 127.0.0.1.
	Nobody func(*testing.T) string

	// ServerTLS and ClientTLS are passed to Listen and Dial; nil means no TLS.
	ServerTLS, ClientTLS *tls.Config

	// WriteTimeoutIsFinal says that nothing can be written once a write
	// deadline has passed, as with TLS.
	WriteTimeoutIsFinal bool
	// Patience bounds each wait for what must happen eventually; 0 means 20 s.
	Patience time.Duration
	// Prompt is the limit for what must happen at once, on a busy machine; 0 means 3
	// s.
	Prompt time.Duration
}

// Run tests the transport that newTransport returns, with a new one for each part; the parts
// are listed in the documentation of the package. Run checks after each part that no new
// goroutine and no new file descriptor is left, so neither the parts nor the caller of Run
// may be parallel.
func Run(t *testing.T, newTransport func() socket.Transport, o Options) {
	if o.Patience == 0 {
		o.Patience = 20 * time.Second
	}
	if o.Prompt == 0 {
		o.Prompt = 3 * time.Second
	}
	for _, part := range []struct {
		name string
		run  func(*fixture)
	}{
		{"networks", testNetworks},
		{"echo", testEcho},
		{"server speaks first", testServerFirst},
		{"both ways at once", testBothWays},
		{"many connections", testMany},
		{"addresses", testAddresses},
		{"read deadline", testReadDeadline},
		{"write deadline", testWriteDeadline},
		{"close ends reads", testCloseEndsReads},
		{"close ends a blocked write", testCloseEndsWrites},
		{"last bytes arrive", testLastBytes},
		{"concurrent close", testConcurrentClose},
		{"dial nobody", testNobody},
		{"dial with a context that ended", testEndedContext},
		{"listener close", testListenerClose},
		{"listener close keeps connections", testListenerCloseKeeps},
		{"a silent client does not hold up others", testSilentClient},
		{"strangers", testStrangers},
		{"half-open connections", testHalfOpen},
		{"write timeout of a socket", testWriteTimeout},
		{"close of a socket whose buffers are full", testCloseFull},
	} {
		t.Run(part.name, func(t *testing.T) {
			checkLeaks(t)
			part.run(&fixture{T: t, Options: o, transport: newTransport()})
		})
	}
}

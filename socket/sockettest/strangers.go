package sockettest

import (
	"errors"
	"net"
	"strings"
)

// testSilentClient: a connection whose handshake does not proceed does not keep
// others from being accepted.
func testSilentClient(f *fixture) {
	lis := f.listen()
	for range 3 {
		f.stranger(lis, nil)
	}
	f.echo(lis)
	if err := f.exchange(lis.Addr().String(), 1, random(100)); err != nil {
		f.Error(err)
	}
}

// testStrangers: clients that send something else do no harm.
func testStrangers(f *fixture) {
	lis := f.listen()
	f.echo(lis)
	for _, said := range []string{"", "\x00", "\xff", "GET / HTTP/1.1\r\n\r\n", strings.Repeat("\x16\x03\x01 garbage", 100), strings.Repeat("\xc0\x00\x00\x00\x01", 240)} {
		f.stranger(lis, []byte(said))
	}
	if err := f.exchange(lis.Addr().String(), 3, random(10_000)); err != nil {
		f.Error(err)
	}
}

// stranger opens a connection below the transport, sends said over it and stays
// until the test ends.
func (f *fixture) stranger(lis net.Listener, said []byte) {
	f.Helper()
	c, err := net.Dial(lis.Addr().Network(), lis.Addr().String())
	if _, ok := errors.AsType[net.UnknownNetworkError](err); ok {
		f.Skip("the transport has no layer below that a stranger could open")
	}
	if err != nil {
		f.Fatalf("open what is below the transport: %v", err)
	}
	f.Cleanup(func() { _ = c.Close() })
	_, _ = c.Write(said) // may be refused
}

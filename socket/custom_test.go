package socket

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"testing"
)

func TestCustom(t *testing.T) {
	mine := errors.New("mine")
	var asked []string
	c := Custom{
		Nets: []string{"one", "two"},
		DialFunc: func(_ context.Context, network, addr string) (net.Conn, error) {
			asked = append(asked, "dial "+network+" "+addr)
			return nil, mine
		},
		ListenFunc: func(_ context.Context, network, addr string) (net.Listener, error) {
			asked = append(asked, "listen "+network+" "+addr)
			return nil, mine
		},
	}
	if n := c.Networks(); !slices.Equal(n, []string{"one", "two"}) {
		t.Errorf("networks %q", n)
	}
	_, derr := c.Dial(t.Context(), "one", "a", &Options{})
	_, lerr := c.Listen(t.Context(), "two", "b", &Options{})
	if derr != mine || lerr != mine || !slices.Equal(asked, []string{"dial one a", "listen two b"}) {
		t.Errorf("%v, %v, asked %q", derr, lerr, asked)
	}
	secure := &Options{TLS: new(tls.Config)} // it must not fall back to a plain connection
	_, derr = c.Dial(t.Context(), "one", "a", secure)
	_, lerr = c.Listen(t.Context(), "two", "b", secure)
	if derr == nil || lerr == nil || len(asked) != 2 {
		t.Errorf("with TLS: %v, %v, asked %q", derr, lerr, asked)
	}
	_, derr = Custom{}.Dial(t.Context(), "one", "a", &Options{})
	_, lerr = Custom{}.Listen(t.Context(), "one", "a", &Options{})
	if derr == nil || lerr == nil {
		t.Errorf("without functions: %v, %v", derr, lerr)
	}
}

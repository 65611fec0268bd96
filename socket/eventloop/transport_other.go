//go:build !linux

package eventloop

import "net"

type loop struct{}

func (t *Transport) wrap(conn net.Conn) (net.Conn, error) { return conn, nil }

//go:build !unix

package mux

import "net"

func newPeeker(conn net.Conn) peeker { return &taker{Conn: conn} }

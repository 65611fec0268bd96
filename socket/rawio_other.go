//go:build !unix

package socket

import (
	"net"
	"syscall"
)

// Where descriptors can't be read and written without waiting, every
// connection takes the plain path.

func pollable(net.Conn) syscall.RawConn { return nil }

func (a *attempt) tryWrite(uintptr) bool { return true }

func readNow(int, []byte) (int, error) { return 0, errAgain }

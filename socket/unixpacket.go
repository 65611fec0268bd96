package socket

import "net"

// maxPacket is how much is written as one packet, in bytes: the kernel sends
// a packet whole or not at all, and refuses one above its buffer.
const maxPacket = 32 << 10

// A packetConn makes a stream of a connection that keeps the boundaries of
// what is written, as unixpacket does, so that a read that asks for less than
// a packet does not lose the rest.
type packetConn struct {
	net.Conn
	buf  []byte // of the reader
	rest []byte // part of buf, not yet asked for
}

func packetize(network string, conn net.Conn) net.Conn {
	if network != "unixpacket" {
		return conn
	}
	return &packetConn{Conn: conn}
}

// maxRead holds any packet that another program may send with the default
// limit of the kernel, 212992 bytes.
const maxRead = 256 << 10

func (c *packetConn) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		if len(p) >= maxRead {
			return c.Conn.Read(p)
		}
		if c.buf == nil {
			c.buf = make([]byte, maxRead)
		}
		n, err := c.Conn.Read(c.buf)
		if err != nil {
			return 0, err
		}
		c.rest = c.buf[:n]
	}
	n := copy(p, c.rest)
	if c.rest = c.rest[n:]; len(c.rest) == 0 && len(c.buf) > 0 {
		c.rest = nil
	}
	return n, nil
}

func (c *packetConn) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		k, err := c.Conn.Write(p[:min(len(p), maxPacket)])
		n += k
		if err != nil {
			return n, err
		}
		p = p[k:]
	}
	return n, nil
}

// NetConn returns the connection of the system.
func (c *packetConn) NetConn() net.Conn { return c.Conn }

package socket

import (
	"errors"
	"slices"
	"syscall"
	"testing"
)

// A packet that the kernel refuses is halved until it fits, and no further than to the
// smallest that any kernel takes.
func TestPacketSizes(t *testing.T) {
	for _, c := range []struct {
		most int // bytes of a packet
		n    int
		want []int // sizes of the packets offered
		err  error
	}{
		{maxPacket, 2*maxPacket + 1, []int{maxPacket, maxPacket, 1}, nil},
		{maxPacket / 4, maxPacket/4 + 10, []int{maxPacket/4 + 10, maxPacket/4 + 10, maxPacket / 4, 10}, nil},
		{maxPacket / 4, maxPacket, []int{maxPacket, maxPacket / 2, maxPacket / 4, maxPacket / 4, maxPacket / 4, maxPacket / 4}, nil},
		{0, minPacket + 1, nil, syscall.EMSGSIZE},
	} {
		var sizes []int
		conn := &packetConn{Conn: &scripted{write: func(p []byte) (int, error) {
			sizes = append(sizes, len(p))
			if len(sizes) > 20 {
				t.Fatal("it tries again and again")
			}
			if len(p) > c.most {
				return 0, syscall.EMSGSIZE
			}
			return len(p), nil
		}}}
		n, err := conn.Write(make([]byte, c.n))
		if !errors.Is(err, c.err) || err == nil && n != c.n {
			t.Errorf("%d bytes in packets of %d: %d, %v", c.n, c.most, n, err)
		}
		if c.want != nil && !slices.Equal(sizes, c.want) {
			t.Errorf("%d bytes in packets of %d: %v were offered, want %v", c.n, c.most, sizes, c.want)
		}
	}
}

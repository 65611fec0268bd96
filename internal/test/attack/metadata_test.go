//go:build linux

package attack

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/goerpc/erpc"
)

// metadata returns attacks by messages that consist of metadata, in the protocols
// that could carry any amount of it.
func metadata() []attack {
	size := sized(8<<20, 62<<20)
	most := cost{memory: int64(size)*2 + 16<<20, cpu: 3 * time.Second, log: 4 << 10}
	pairs := func(n int) []byte { return fill(n, "", "%&a&", "") }
	return []attack{
		{class: "metadata", name: "JSON protocol, 64 KiB", door: "json", most: fromLittle, run: func(s *stranger) {
			s.exchange(jsonFrame("/echo", pairs(little-200)))
		}},
		{class: "metadata", name: "JSON protocol, megabytes", door: "json", most: most, run: func(s *stranger) {
			s.exchange(jsonFrame("/echo", pairs(size)))
		}},
		{class: "metadata", name: "protobuf protocol, megabytes", door: "pb", most: most, run: func(s *stranger) {
			s.exchange(pbFrame("/echo", pairs(size)))
		}},
		{class: "metadata", name: "raw protocol, many slow calls", door: "raw",
			// The in-flight limit, twice that for data being read, and garbage.
			most: cost{memory: 160 << 20, cpu: 5 * time.Second, log: 16 << 10},
			run: func(s *stranger) {
				conn := s.dial()
				f := s.raw(erpc.TypeCall, "/slow", 'p', nil)
				f = withMeta(f, fill(60_000, "", strings.Repeat("a", 59)+"&", ""))
				for range sized(128, 1100) {
					_ = conn.SetWriteDeadline(time.Now().Add(time.Second)) // a broken one tells by itself
					if _, err := conn.Write(f); err != nil {
						break // the victim has stopped reading or closed the connection
					}
				}
			}},
		{class: "metadata", name: "HTTP fields", door: "http", most: fromLittle, run: func(s *stranger) {
			s.exchange([]byte("POST /echo HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A: b\r\n", little/6) + "\r\n"))
		}},
		{class: "metadata", name: "HTTP query", door: "http", most: fromLittle, run: func(s *stranger) {
			s.exchange([]byte("POST /echo?" + string(pairs(little-200)) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"))
		}},
	}
}

// jsonFrame returns a call of the JSON protocol.
func jsonFrame(method string, meta []byte) []byte {
	text := fmt.Sprintf(`{"seq":1,"mtype":1,"serviceMethod":%q,"meta":"%s","bodyCodec":112,"body":""}`, method, meta)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(text)+1)), "\x00"+text...)
}

// pbFrame returns a call of the protobuf protocol.
func pbFrame(method string, meta []byte) []byte {
	var b []byte
	for num, v := range []uint64{1: 1, 2: 1, 6: 'p'} {
		if v > 0 {
			b = protowire.AppendVarint(protowire.AppendTag(b, protowire.Number(num), protowire.VarintType), v)
		}
	}
	b = protowire.AppendString(protowire.AppendTag(b, 3, protowire.BytesType), method)
	b = protowire.AppendBytes(protowire.AppendTag(b, 5, protowire.BytesType), meta)
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(b)+1)), 0), b...)
}

// withMeta puts metadata into a call of the raw protocol that has none and an empty
// body.
func withMeta(f, meta []byte) []byte {
	const tail = 3 // the length of the metadata and the codec
	out := append([]byte(nil), f[:len(f)-tail]...)
	out = binary.BigEndian.AppendUint16(out, uint16(len(meta)))
	out = append(append(out, meta...), f[len(f)-1])
	binary.BigEndian.PutUint32(out, uint32(len(out)))
	return out
}

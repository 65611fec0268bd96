package secure

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/goerpc/erpc"
)

// bound is what is authenticated beside the body. Each part has its length in
// front, so that no two messages give the same bytes. call is the nonce of the
// sealed call that a reply answers, nil otherwise.
func (c *Config) bound(mtype byte, m erpc.Message, method string, call []byte) []byte {
	b := append(make([]byte, 0, 256), "erpc secure 1"...)
	b = append(b, mtype, m.BodyCodec())
	b = appendPart(b, strings.ToLower(method))
	b = appendPart(b, string(call))
	type entry struct{ name, value string }
	var meta []entry
	for name, value := range m.Meta().All {
		if !c.unbound(name) {
			meta = append(meta, entry{strings.ToLower(name), value})
		}
	}
	// Some protocols change the order of names, none that of the values of one.
	slices.SortStableFunc(meta, func(x, y entry) int { return strings.Compare(x.name, y.name) })
	for _, e := range meta {
		b = appendPart(appendPart(b, e.name), e.value)
	}
	return b
}

func appendPart(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

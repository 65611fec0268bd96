package secure

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/goerpc/erpc"
)

// A role is which side of a session has sent a message. A message that comes
// back to its sender does not have the right one.
type role byte

const (
	anySide role = iota
	dialer
	acceptor
)

// roles returns the roles of this side of a session and of the other.
func (c *Config) roles(sess erpc.CtxSession) (mine, theirs role) {
	s, ok := sess.(interface{ IsDialed() bool })
	switch {
	case c.Relayed || !ok:
		return anySide, anySide
	case s.IsDialed():
		return dialer, acceptor
	}
	return acceptor, dialer
}

// A binding is what is authenticated beside the body and the metadata.
type binding struct {
	mtype  byte
	method string
	sender role
	// call, of a reply, is the nonce of the call that it answers, nil if that has
	// none.
	call []byte
}

// bound returns the bytes that are authenticated beside the body. Each part has
// its length in front, so that no two messages give the same bytes.
func (c *Config) bound(m erpc.Message, by binding) []byte {
	fold := func(s string) string { return s }
	if c.IgnoreCase {
		fold = strings.ToLower
	}
	b := append(make([]byte, 0, 256), "erpc secure 2"...)
	b = append(b, by.mtype, m.BodyCodec(), byte(by.sender))
	b = appendPart(b, fold(by.method))
	b = appendPart(b, string(by.call))
	type entry struct{ name, value string }
	var meta []entry
	for name, value := range m.Meta().All {
		if !c.unbound(name) {
			meta = append(meta, entry{fold(name), value})
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

package secure

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/goerpc/erpc"
)

// A role says which side of a session sent a message. A message that is
// reflected to its sender has the wrong role.
type role byte

const (
	anySide role = iota
	dialer
	acceptor
)

// roles returns the roles of this side of a session and of the other side.
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

// A binding holds what is authenticated in addition to the body and the
// metadata.
type binding struct {
	mtype  byte
	method string
	sender role
	// call, for a reply, is the nonce of the call that it answers, or nil if the
	// call has none.
	call []byte
}

// bound returns the bytes that are authenticated in addition to the body. Each
// part is prefixed with its length, so that different messages give different
// bytes.
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
	// Some protocols change the order of names, but none changes the order of the
	// values of one name.
	slices.SortStableFunc(meta, func(x, y entry) int { return strings.Compare(x.name, y.name) })
	for _, e := range meta {
		b = appendPart(appendPart(b, e.name), e.value)
	}
	return b
}

func appendPart(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

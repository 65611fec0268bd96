package session

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/goerpc/erpc/internal/wire"
)

// A connection asks once, when it is first needed, what its other side can do
// beyond the wire format of v7, by a CALL to controlCaps. Metadata alone proves
// nothing: a proxy of erpc v7 passes on calls, pushes and replies with all their
// metadata, so they may come from a side that is not adjacent. But a proxy does
// not pass on the sequence number; it numbers calls itself. So the call has a
// random number and repeats it in its metadata, and so does the reply. Two sides
// that see equal numbers are adjacent.
const (
	capsVersion    = 1
	capStreams     = wire.CapStreams
	supportedByUs  = capStreams
	maxCapsMetaLen = 64
)

// ErrNoStreams is the cause of the status CodeMtypeNotAllowed of a stream that was
// not opened, because the other side or a proxy in between is erpc v7 or too old,
// or the protocol can't carry streams.
var ErrNoStreams = errors.New("session: the other side does not support streams")

// capsState is what is known of the other side's capabilities.
type capsState uint8

const (
	capsUnknown capsState = iota // not asked
	capsAsked                    // the call is in flight
	capsProven                   // the other side is adjacent, and its bits are known
	capsNone                     // the other side does not know the call, or is not adjacent
)

// String returns the name of the state.
func (s capsState) String() string { return [...]string{"unknown", "asked", "proven", "none"}[s] }

var capsMoves = [...][]capsState{
	capsUnknown: {capsAsked, capsProven},
	capsAsked:   {capsProven, capsNone, capsUnknown}, // back to unknown: the call got no answer
	capsProven:  {},
	capsNone:    {capsProven}, // the other side asked later
}

// caps holds the capabilities of the other side of a connection. The zero value
// is unknown. It may be used concurrently.
type caps struct {
	mu       sync.Mutex // guards the following
	state    capsState
	told     bool // the other side was asked, and so knows what this side can do, whatever the answer
	bits     uint64
	answered chan struct{} // closed when the state is no longer asked; nil in other states
}

// moveLocked changes the state if the table allows it.
func (c *caps) moveLocked(to capsState) bool {
	for _, m := range capsMoves[c.state] {
		if m == to {
			c.state = to
			if c.answered != nil {
				close(c.answered)
				c.answered = nil
			}
			if to == capsAsked {
				c.answered = make(chan struct{})
				c.told = true
			}
			return true
		}
	}
	return false
}

// prove records that the other side is adjacent and can do bits.
func (c *caps) prove(bits uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.moveLocked(capsProven) {
		c.bits = bits
	}
}

// settle records the result of the question.
func (c *caps) settle(to capsState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == capsAsked {
		c.moveLocked(to)
	}
}

// can reports whether the other side is known to have the capability.
func (c *caps) can(bit uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == capsProven && c.bits&bit != 0
}

// mayUse reports whether the other side may use the capability: it has it, or it was
// asked. It may use the capability as soon as it has read the question: before its
// answer arrives, and also if the asker has given up.
func (c *caps) mayUse(bit uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told || c.state == capsProven && c.bits&bit != 0
}

// begin returns the state. If it was unknown, mine is true and the caller must
// ask. While the answer is awaited, answered is not nil.
func (c *caps) begin() (state capsState, answered <-chan struct{}, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	mine = c.state == capsUnknown
	if mine {
		c.moveLocked(capsAsked)
	}
	return c.state, c.answered, mine
}

// formatCaps returns the metadata of a caps call or reply.
func formatCaps(bits uint64, seq int32) string {
	return fmt.Sprintf("%d.%d.%d", capsVersion, bits, seq)
}

// parseCaps reads that metadata. Later versions may append fields.
func parseCaps(v []byte) (bits uint64, seq int32, ok bool) {
	if len(v) > maxCapsMetaLen {
		return 0, 0, false
	}
	f := strings.Split(string(v), ".")
	if len(f) < 3 {
		return 0, 0, false
	}
	version, err := strconv.ParseUint(f[0], 10, 32)
	if err != nil || version < capsVersion {
		return 0, 0, false
	}
	bits, err = strconv.ParseUint(f[1], 10, 64)
	if err != nil {
		return 0, 0, false
	}
	n, err := strconv.ParseInt(f[2], 10, 32)
	if err != nil {
		return 0, 0, false
	}
	return bits, int32(n), true
}

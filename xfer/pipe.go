package xfer

import (
	"fmt"
	"math"

	"github.com/goerpc/erpc/internal/guard"
)

// MaxFilters is the maximum number of filters in one pipe. The wire allows 255,
// but each costs the receiver time and memory.
const MaxFilters = 8

// workFactor times the limit is how many bytes all stages of one OnUnpackLimit may
// make together.
const workFactor = 8

// ErrXferPipeTooLong says that a pipe has more than [MaxFilters] filters.
var ErrXferPipeTooLong = fmt.Errorf("xfer: a pipe holds at most %d filters", MaxFilters)

// XferPipe is the list of filters of one message, outermost first. The zero value
// is the empty pipe, and so is a nil pointer for all methods that only read. A
// pipe must not be used concurrently, except by calls that only read.
type XferPipe struct {
	entries []*entry
}

// NewXferPipe returns an empty pipe.
func NewXferPipe() *XferPipe { return new(XferPipe) }

// Append adds the filters with these ids at the inner end. It returns an error
// that wraps ErrUnknownFilter or ErrXferPipeTooLong, and leaves the pipe
// unchanged, if an id is not registered or the pipe would exceed [MaxFilters].
func (p *XferPipe) Append(ids ...byte) error {
	n := len(p.entries)
	if n+len(ids) > MaxFilters {
		return fmt.Errorf("%w: %d and %d more", ErrXferPipeTooLong, n, len(ids))
	}
	for _, id := range ids {
		e, err := lookup(id)
		if err != nil {
			p.entries = p.entries[:n]
			return err
		}
		p.entries = append(p.entries, e)
	}
	return nil
}

// AppendFrom adds all filters of src, which may be nil or p itself, at the
// inner end. If the pipe exceeds [MaxFilters] by that, OnPack reports it.
func (p *XferPipe) AppendFrom(src *XferPipe) {
	if src != nil {
		p.entries = append(p.entries, src.entries...)
	}
}

// Prepend adds all filters of src, which may be nil or p itself, in their order
// at the outer end. If the pipe exceeds [MaxFilters] by that, OnPack reports it.
func (p *XferPipe) Prepend(src *XferPipe) {
	k := src.Len()
	if k == 0 {
		return
	}
	n := len(p.entries)
	if src == p {
		p.entries = append(p.entries, p.entries...)
		return
	}
	p.entries = append(p.entries, src.entries...) // makes room
	copy(p.entries[k:], p.entries[:n])
	copy(p.entries, src.entries)
}

// Reset empties the pipe and keeps its storage.
func (p *XferPipe) Reset() { p.entries = p.entries[:0] }

// Len is the number of filters.
func (p *XferPipe) Len() int {
	if p == nil {
		return 0
	}
	return len(p.entries)
}

// IDs returns the ids in a new slice, outermost first; never nil.
func (p *XferPipe) IDs() []byte { return p.AppendIDs(make([]byte, 0, p.Len())) }

// AppendIDs appends the ids to dst, outermost first.
func (p *XferPipe) AppendIDs(dst []byte) []byte {
	if p == nil {
		return dst
	}
	for _, e := range p.entries {
		dst = append(dst, e.id)
	}
	return dst
}

// Names returns the names in a new slice, outermost first; never nil.
func (p *XferPipe) Names() []string {
	names := make([]string, p.Len())
	for i := range names {
		names[i] = p.entries[i].name
	}
	return names
}

// Range calls f for each filter, outermost first, until f returns false. f must
// not change the pipe.
func (p *XferPipe) Range(f func(idx int, filter XferFilter) bool) {
	if p == nil {
		return
	}
	for i, e := range p.entries {
		if !f(i, e.filter) {
			return
		}
	}
}

// OnPack applies the filters to b, the last id first, so that the first id is
// the outermost. The result may be b or a part of it. A filter's panic becomes
// a *PanicError.
func (p *XferPipe) OnPack(b []byte) ([]byte, error) {
	n := p.Len()
	if n > MaxFilters {
		return nil, fmt.Errorf("%w: %d", ErrXferPipeTooLong, n)
	}
	for i := n - 1; i >= 0; i-- {
		var err error
		b, err = p.entries[i].pack(b)
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// OnUnpack is OnUnpackLimit with DefaultLimit.
func (p *XferPipe) OnUnpack(b []byte) ([]byte, error) {
	return p.OnUnpackLimit(b, DefaultLimit)
}

// OnUnpackLimit undoes the filters on b, the first id first. No stage may make
// more than limit bytes, nor more than the ratio of its filter (see [RegRatio])
// times the length of b, where up to 4 MiB are always allowed. All stages together
// may make 8 times limit, or DefaultLimit if that is more. Otherwise the error
// wraps ErrTooLarge. A pipe of more than [MaxFilters] is an error. A limit
// below 0 counts as 0. The result may be b or a part of it; of the empty pipe
// it is b, of any length. A filter's panic becomes a *PanicError.
func (p *XferPipe) OnUnpackLimit(b []byte, limit int) ([]byte, error) {
	n := p.Len()
	if n == 0 {
		return b, nil
	}
	if n > MaxFilters {
		return nil, fmt.Errorf("%w: %d", ErrXferPipeTooLong, n)
	}
	limit = max(limit, 0)
	wire := len(b)
	work := int64(math.MaxInt64)
	if int64(limit) < work/workFactor {
		work = max(int64(limit)*workFactor, DefaultLimit)
	}
	for i := range n {
		var err error
		e := p.entries[i]
		room := int64(inflateLimit(wire, limit, e.ratio))
		b, err = e.unpack(b, int(min(room, work)))
		if err != nil {
			return nil, err
		}
		work -= int64(len(b))
	}
	return b, nil
}

// InflateLimit is how many bytes wire bytes may inflate to, for formats that have
// their own compression: [DefaultRatio] times wire but at least 4 MiB, and at most
// limit.
func InflateLimit(wire, limit int) int { return inflateLimit(wire, limit, DefaultRatio) }

func inflateLimit(wire, limit, ratio int) int {
	return int(min(int64(limit), max(minInflated, int64(wire)*int64(ratio))))
}

func (e *entry) pack(b []byte) (out []byte, err error) {
	defer guard.Catch(&err, "filter", e.name)
	out, err = e.filter.OnPack(b)
	if err != nil {
		return nil, fmt.Errorf("xfer: filter %q: %w", e.name, err)
	}
	return out, nil
}

func (e *entry) unpack(b []byte, limit int) (out []byte, err error) {
	defer guard.Catch(&err, "filter", e.name)
	if e.limited != nil {
		out, err = e.limited.OnUnpackLimit(b, limit)
	} else {
		out, err = e.filter.OnUnpack(b)
	}
	if err != nil {
		return nil, fmt.Errorf("xfer: filter %q: %w", e.name, err)
	}
	if len(out) > limit {
		return nil, fmt.Errorf("xfer: filter %q made %d bytes of at most %d: %w", e.name, len(out), limit, ErrTooLarge)
	}
	return out, nil
}

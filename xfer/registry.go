package xfer

import (
	"errors"
	"fmt"

	"github.com/goerpc/erpc/internal/registry"
)

// ErrUnknownFilter says that no filter is registered under an id or name.
var ErrUnknownFilter = errors.New("xfer: unknown filter")

// entry is a registered filter with everything that packing and unpacking need,
// resolved once. Entries are immutable.
type entry struct {
	filter  XferFilter
	limited LimitedUnpacker // nil if the filter does not implement it
	id      byte
	name    string
	ratio   int // bytes it may make of a byte of the frame
}

// filters are the filters of the process.
var filters registry.Registry[*entry]

// Reg registers f for the process, preferably from main or an init function,
// before messages are sent. It may be called concurrently with everything else. It
// panics if f is nil, or if another filter has its id or its name. Registering the
// same value again does nothing.
func Reg(f XferFilter) { RegRatio(f, DefaultRatio) }

// RegRatio is [Reg] for a filter that may make up to ratio bytes of each byte of a
// frame when it undoes OnPack, instead of [DefaultRatio]: for a program's own data
// that compresses that well. Anyone who can send to this process can then make it
// inflate that much.
func RegRatio(f XferFilter, ratio int) {
	if ratio < 1 {
		panic(fmt.Sprintf("xfer: RegRatio with %d bytes for each byte; choose 1 or more", ratio))
	}
	if registry.IsNil(f) {
		panic("xfer: Reg needs a filter, got nil")
	}
	e := &entry{filter: f, id: f.ID(), name: f.Name(), ratio: ratio}
	e.limited, _ = f.(LimitedUnpacker)

	taken := filters.Add(e.id, e.name, e, func(have *entry) bool { return registry.Same(have.filter, f) })
	switch {
	case taken == nil:
	case taken.ByName:
		panic(fmt.Sprintf("xfer: Reg of filter %q with id %d: the name is taken by id %d; choose another name", e.name, e.id, taken.Have.id))
	default:
		panic(fmt.Sprintf("xfer: Reg of filter %q: id %d is taken by %q; choose another id", e.name, e.id, taken.Have.name))
	}
}

// Get returns the filter with that id. It takes no lock.
func Get(id byte) (XferFilter, error) {
	e, err := lookup(id)
	if err != nil {
		return nil, err
	}
	return e.filter, nil
}

// GetByName returns the filter with that name. It takes no lock.
func GetByName(name string) (XferFilter, error) {
	if e, ok := filters.ByName(name); ok {
		return e.filter, nil
	}
	return nil, fmt.Errorf("%w: name %q; register it on both ends", ErrUnknownFilter, name)
}

func lookup(id byte) (*entry, error) {
	if e, ok := filters.ByID(id); ok {
		return e, nil
	}
	return nil, fmt.Errorf("%w: id %d; register it on both ends", ErrUnknownFilter, id)
}

package codec

import (
	"fmt"
	"strconv"

	"github.com/goerpc/erpc/internal/registry"
)

// UnsupportedError is the error of [Get] and [GetByName] for a codec that is not
// registered.
type UnsupportedError struct {
	ID   byte   // the id passed to Get
	Name string // the name passed to GetByName

	byName bool
}

// Error returns the texts of erpc v7, whose clients see them as the cause of a
// status 400.
func (e *UnsupportedError) Error() string {
	if e.byName {
		return "unsupported codec name: " + e.Name
	}
	return "unsupported codec id: " + strconv.Itoa(int(e.ID))
}

// codecs is the table of the process. There is only one, because a codec belongs
// to a wire format, not to a peer.
var codecs = newTable(JSONCodec{}, FormCodec{}, PlainCodec{}, XMLCodec{}, ProtobufCodec{})

type table struct{ registry.Registry[Codec] }

func newTable(builtin ...Codec) *table {
	t := new(table)
	for _, c := range builtin {
		t.add(c)
	}
	return t
}

func (t *table) add(c Codec) {
	if registry.IsNil(c) {
		panic("codec: Reg of a nil codec")
	}
	id, name := c.ID(), c.Name()
	if id == NilCodecID {
		panic(fmt.Sprintf("codec: Reg of %T: id %d means no codec, choose another", c, NilCodecID))
	}
	if name == NilCodecName {
		panic(fmt.Sprintf("codec: Reg of %T: the name is empty", c))
	}
	taken := t.Add(id, name, c, func(have Codec) bool { return registry.Same(have, c) })
	switch {
	case taken == nil:
	case taken.ByName:
		panic(fmt.Sprintf("codec: Reg of %T: name %q is taken by %T", c, name, taken.Have))
	default:
		panic(fmt.Sprintf("codec: Reg of %T: id %d is taken by %T", c, id, taken.Have))
	}
}

// Reg adds c to the table. It panics if c is nil, if its id is NilCodecID or its
// name empty, or if another codec has its id or name. Registering the same value
// again does nothing. Call it when the program starts; it is safe at any time.
func Reg(c Codec) { codecs.add(c) }

// Get returns the codec with the given id, or an [*UnsupportedError]. It takes
// no lock, and does not allocate if there is such a codec.
func Get(id byte) (Codec, error) {
	if c, ok := codecs.ByID(id); ok {
		return c, nil
	}
	return nil, &UnsupportedError{ID: id}
}

// GetByName returns the codec with the given name, or an [*UnsupportedError].
func GetByName(name string) (Codec, error) {
	if c, ok := codecs.ByName(name); ok {
		return c, nil
	}
	return nil, &UnsupportedError{Name: name, byName: true}
}

package codec

import (
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"sync"
	"sync/atomic"
)

// UnsupportedError is what [Get] and [GetByName] return for a codec that
// nobody has registered.
type UnsupportedError struct {
	ID   byte   // the id that Get was asked for
	Name string // the name that GetByName was asked for

	byName bool
}

// Error has the texts of erpc v7, whose clients see them as the cause of a
// status 400.
func (e *UnsupportedError) Error() string {
	if e.byName {
		return "unsupported codec name: " + e.Name
	}
	return "unsupported codec id: " + strconv.Itoa(int(e.ID))
}

// registry maps ids and names to codecs. Reading takes one atomic load;
// registering copies the table.
type registry struct {
	mu    sync.Mutex // held by add, so that no registration is lost
	table atomic.Pointer[table]
}

// table is never changed once it can be seen by readers.
type table struct {
	byID   [256]Codec
	byName map[string]Codec
}

// codecs is the table of the process. A codec belongs to a wire format, not to
// a peer, so there is one.
var codecs = newRegistry(JSONCodec{}, FormCodec{}, PlainCodec{}, XMLCodec{}, ProtobufCodec{})

func newRegistry(builtin ...Codec) *registry {
	r := new(registry)
	r.table.Store(&table{byName: make(map[string]Codec)})
	for _, c := range builtin {
		r.add(c)
	}
	return r
}

func (r *registry) add(c Codec) {
	if isNil(c) {
		panic("codec: Reg of a nil codec")
	}
	id, name := c.ID(), c.Name()
	if id == NilCodecID {
		panic(fmt.Sprintf("codec: Reg of %T: id %d means no codec, choose another", c, NilCodecID))
	}
	if name == NilCodecName {
		panic(fmt.Sprintf("codec: Reg of %T: the name is empty", c))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.table.Load()
	if have := old.byID[id]; have != nil {
		if same(have, c) {
			return
		}
		panic(fmt.Sprintf("codec: Reg of %T: id %d is taken by %T", c, id, have))
	}
	if have := old.byName[name]; have != nil {
		panic(fmt.Sprintf("codec: Reg of %T: name %q is taken by %T", c, name, have))
	}
	next := &table{byID: old.byID, byName: maps.Clone(old.byName)}
	next.byID[id] = c
	next.byName[name] = c
	r.table.Store(next)
}

// isNil reports a nil interface or a nil pointer in one.
func isNil(c Codec) bool {
	if c == nil {
		return true
	}
	v := reflect.ValueOf(c)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// same is == for codecs, without the panic of == on types that have none.
func same(a, b Codec) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

// Reg adds c to the table. It panics if c is nil, if its id is NilCodecID or
// its name empty, or if another codec has its id or name. Registering the very
// same value again does nothing. Call it while the program starts; it is safe
// at any time.
func Reg(c Codec) { codecs.add(c) }

// Get returns the codec with the given id, or an [*UnsupportedError]. It takes
// no lock, and does not allocate if there is such a codec.
func Get(id byte) (Codec, error) {
	if c := codecs.table.Load().byID[id]; c != nil {
		return c, nil
	}
	return nil, &UnsupportedError{ID: id}
}

// GetByName returns the codec with the given name, or an [*UnsupportedError].
func GetByName(name string) (Codec, error) {
	if c := codecs.table.Load().byName[name]; c != nil {
		return c, nil
	}
	return nil, &UnsupportedError{Name: name, byName: true}
}

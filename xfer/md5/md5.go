// Package md5 is the transfer filter that appends the MD5 sum of a message and
// checks it on arrival, as that of erpc v7 does. It detects errors, such as a bug
// in a proxy or broken memory. It does not protect against attackers: the sum has
// no key, so whoever can change the data can change the sum. Use TLS for that.
package md5

import (
	"crypto/md5"
	"errors"
	"fmt"

	"github.com/goerpc/erpc/xfer"
	"github.com/goerpc/erpc/xfer/internal/named"
)

// Size is the number of bytes that the filter adds.
const Size = md5.Size

// ErrMismatch says that a message does not match its sum, or is too short to
// have one.
var ErrMismatch = errors.New("xfer/md5: check sum does not match")

// found is the id and name of a filter.
type found = named.Filter

// Filter appends and checks MD5 sums. It may be used concurrently.
type Filter struct {
	found
}

var _ xfer.XferFilter = (*Filter)(nil)

// Reg registers an MD5 filter. It panics if xfer.Reg does.
func Reg(id byte, name string) { xfer.Reg(New(id, name)) }

// New returns an MD5 filter that is not registered yet.
func New(id byte, name string) *Filter { return &Filter{found: named.New(id, name)} }

// OnPack returns a copy of src followed by the 16 bytes of its sum. It copies
// because a filter must not write to the capacity behind src.
func (f *Filter) OnPack(src []byte) ([]byte, error) {
	sum := md5.Sum(src)
	out := make([]byte, len(src)+Size)
	copy(out, src)
	copy(out[len(src):], sum[:])
	return out, nil
}

// OnUnpack returns src without its sum, in place, if the sum is right.
func (f *Filter) OnUnpack(src []byte) ([]byte, error) {
	n := len(src) - Size
	if n < 0 {
		return nil, fmt.Errorf("%w: %d bytes are too few", ErrMismatch, len(src))
	}
	if md5.Sum(src[:n]) != [Size]byte(src[n:]) {
		return nil, ErrMismatch
	}
	return src[:n:n], nil
}

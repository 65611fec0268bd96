package rig

import "fmt"

// bodyStep is how far apart the bytes are that CheckBody looks at: one a page,
// so that the check costs little beside moving the body.
const bodyStep = 4096

// NewBody returns a body of size bytes for [Bytes].
func NewBody(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = bodyByte(i)
	}
	return b
}

// bodyByte differs between neighbours and between neighbouring pages.
func bodyByte(i int) byte { return byte(i + i>>12*7) }

// CheckBody reports how b fails to be what NewBody made.
func CheckBody(b []byte, size int) error {
	if len(b) != size {
		return fmt.Errorf("rig: a body of %d bytes came back as %d", size, len(b))
	}
	for i := 0; i < size; i += bodyStep {
		if b[i] != bodyByte(i) {
			return fmt.Errorf("rig: byte %d of %d came back changed", i, size)
		}
	}
	if size > 0 && b[size-1] != bodyByte(size-1) {
		return fmt.Errorf("rig: the last of %d bytes came back changed", size)
	}
	return nil
}

// Package named is what the filters below xfer have in common.
package named

import "github.com/goerpc/erpc/xfer"

// A Filter is the part of a filter by which it is found. Filters embed it.
type Filter struct {
	id   byte
	name string
}

// New returns the part that has id and name.
func New(id byte, name string) Filter { return Filter{id, name} }

// ID is the filter's byte on the wire.
func (f *Filter) ID() byte { return f.id }

// Name is the filter's name.
func (f *Filter) Name() string { return f.name }

// Reg registers what a New has returned. It panics if that failed, or if xfer.Reg
// does.
func Reg(f xfer.XferFilter, err error) {
	if err != nil {
		panic(err.Error())
	}
	xfer.Reg(f)
}

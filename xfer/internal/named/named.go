// Package named has the parts that the filters below xfer share.
package named

import "github.com/goerpc/erpc/xfer"

// A Filter is the id and name of a filter. Filters embed it.
type Filter struct {
	id   byte
	name string
}

// New returns a Filter with id and name.
func New(id byte, name string) Filter { return Filter{id, name} }

// ID is the filter's byte on the wire.
func (f *Filter) ID() byte { return f.id }

// Name is the filter's name.
func (f *Filter) Name() string { return f.name }

// Reg registers the result of a package's New. It panics if New failed, or if
// xfer.Reg does.
func Reg(f xfer.XferFilter, err error) {
	if err != nil {
		panic(err.Error())
	}
	xfer.Reg(f)
}

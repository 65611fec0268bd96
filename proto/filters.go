package proto

import (
	"errors"
	"fmt"

	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/xfer"
)

// Filter puts dst[at:] through the transfer filters of m.
func Filter(dst []byte, at int, m *message.Message) ([]byte, error) {
	if m.XferPipe().Len() == 0 {
		return dst, nil
	}
	b, err := m.XferPipe().OnPack(dst[at:])
	if err != nil {
		return dst, err
	}
	return append(dst[:at], b...), nil
}

// Unfilter undoes the transfer filters of m. name is the name of the format, for
// errors. The result may be a part of b.
func Unfilter(name string, m *message.Message, b []byte, limit int) ([]byte, error) {
	if m.XferPipe().Len() == 0 {
		return b, nil
	}
	b, err := m.XferPipe().OnUnpackLimit(b, limit)
	switch {
	case errors.Is(err, xfer.ErrTooLarge):
		return nil, fmt.Errorf("%s: %w: %w", name, ErrTooLarge, err)
	case err != nil:
		return nil, Malformed(name, "%w", err)
	}
	return b, nil
}

package session

import (
	"strconv"
	"strings"

	"github.com/goerpc/erpc/internal/wire"
)

// MetaTimeout is the key of the metadata that carries the caller's deadline: how
// many milliseconds are left, in decimal, or 0 for a call that has none but can be
// cancelled. erpc v7 ignores it.
const MetaTimeout = wire.MetaTimeout

// See package wire.
const (
	metaHello   = wire.MetaHello
	metaRefused = wire.MetaRefused
	metaEnd     = wire.MetaEnd
	metaCaps    = wire.MetaCaps

	controlPrefix = wire.ControlPrefix
	controlHello  = wire.ControlHello
	controlCancel = wire.ControlCancel
	controlGoAway = wire.ControlGoAway
	controlBye    = wire.ControlBye
	controlEnd    = wire.ControlEnd
	controlDrain  = wire.ControlDrain
	controlCaps   = wire.ControlCaps

	minProofSeq = wire.MinProofSeq
	maxProofSeq = wire.MaxProofSeq
)

// Reserved reports whether a service method belongs to erpc's own messages, which
// reach no handler.
func Reserved(method string) bool { return isControl(method) }

func isControl(method string) bool { return strings.HasPrefix(method, controlPrefix) }

// drawSeq returns a sequence number for a proof.
func drawSeq() int32 { return wire.DrawSeq() }

// namesSeq reports whether value, of metaHello or metaRefused, names seq.
func namesSeq(value []byte, seq int32) bool {
	if len(value) == 0 || len(value) > 64 {
		return false
	}
	text, _, _ := strings.Cut(string(value), " ")
	n, err := strconv.ParseInt(text, 10, 32)
	return err == nil && int32(n) == seq && seq > 0
}

func seqText(seq int32) string { return strconv.FormatInt(int64(seq), 10) }

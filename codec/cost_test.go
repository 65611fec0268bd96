package codec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/goerpc/erpc/codec"
)

// A rough codec returns rough if that is within the limit, else the exact cost.
type rough struct {
	codec.PlainCodec
	rough, exact int
}

func (r rough) Cost(_ []byte, _ any, limit int) int {
	if r.rough <= limit {
		return r.rough
	}
	return min(r.exact, limit+1)
}

func TestCostWithin(t *testing.T) {
	for _, c := range []struct {
		name               string
		size, rough, exact int
		limit, least, most int
		tooLarge           bool
	}{
		{name: "rough is small enough", size: 100, rough: 400, exact: 10, limit: 1000, least: 400, most: 400},
		{name: "a closer look", size: 100, rough: 900, exact: 390, limit: 1000, least: 390, most: 390},
		{name: "a closer look, large", size: 100, rough: 90_000, exact: 3000, limit: 100_000, least: 3000, most: 12_000},
		{name: "it is large", size: 100, rough: 1000, exact: 900, limit: 1000, least: 900, most: 1000},
		{name: "nothing is sent, much is made", size: 0, rough: 900, exact: 900, limit: 1000, least: 900, most: 900},
		{name: "too large on a closer look", size: 100, rough: 90_000, exact: 1001, limit: 1000, tooLarge: true},
	} {
		got, err := codec.CostWithin(rough{rough: c.rough, exact: c.exact}, make([]byte, c.size), nil, c.limit)
		if tooLarge := errors.Is(err, codec.ErrTooLarge); tooLarge != c.tooLarge || !tooLarge && (err != nil || got < c.least || got > c.most) {
			t.Errorf("%s: %d, %v", c.name, got, err)
		}
	}
}

// TestLongTextCostsItsLength: a long string in a struct whose other fields could
// take much more memory is counted as a string. Otherwise the receiver would run
// fewer handlers than its memory allows.
func TestLongTextCostsItsLength(t *testing.T) {
	type wide struct{ A, B, C, D, E, F, G, H [16]int }
	type args struct {
		Text string
		Rows []wide
	}
	text := strings.Repeat("a", 100_000)
	for name, c := range map[string]struct {
		codec codec.Codec
		body  string
	}{
		"JSON": {codec.JSONCodec{}, `{"Text":"` + text + `","Rows":[{}]}`},
		"XML":  {codec.XMLCodec{}, "<args><Text>" + text + "</Text><Rows/></args>"},
		"form": {codec.FormCodec{}, "Text=" + text},
	} {
		if n, err := codec.CostWithin(c.codec, []byte(c.body), new(args), 64<<20); err != nil || n < len(text) || n > 4*len(text) {
			t.Errorf("%s: %d for %d bytes, %v", name, n, len(c.body), err)
		}
	}
}

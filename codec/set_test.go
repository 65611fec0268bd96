package codec_test

import (
	"errors"
	"testing"

	"github.com/goerpc/erpc/codec"
)

func TestSet(t *testing.T) {
	var all *codec.Set
	for name, c := range map[string]struct {
		set        *codec.Set
		json, form bool
	}{
		"nil has all":    {all, true, true},
		"an empty one":   {codec.NewSet(), false, false},
		"one":            {codec.NewSet(codec.ID_JSON), true, false},
		"one, twice":     {codec.NewSet(codec.ID_FORM, codec.ID_FORM), false, true},
		"two, of others": {codec.NewSet(codec.ID_JSON, codec.ID_FORM, 255), true, true},
	} {
		for want, k := range map[codec.Codec]bool{codec.JSONCodec{}: c.json, codec.FormCodec{}: c.form} {
			err := c.set.Check(want)
			refused, ok := errors.AsType[*codec.NotAcceptedError](err)
			if c.set.Has(want.ID()) != k || ok == k || ok && refused.Name != want.Name() {
				t.Errorf("%s: %s: %v, want it accepted: %v", name, want.Name(), err, k)
			}
		}
	}
}

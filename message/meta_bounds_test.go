package message_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/goerpc/erpc/message"
)

// TestMetadataIsBounded: exactly as much as the bounds allow is sent and read.
func TestMetadataIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		query string
		ok    bool
	}{
		"nothing":              {"", true},
		"longest":              {"k=" + strings.Repeat("v", message.MaxMeta-2), true},
		"longest key":          {strings.Repeat("k", message.MaxMeta), true},
		"longest escaped":      {"kk=" + strings.Repeat("%00", (message.MaxMeta-3)/3), true},
		"a byte more":          {"k=" + strings.Repeat("v", message.MaxMeta-1), false},
		"a key of a byte more": {strings.Repeat("k", message.MaxMeta+1), false},
		"most entries":         {strings.Repeat("a&", message.MaxMetaEntries-1) + "a", true},
		"an entry more":        {strings.Repeat("a&", message.MaxMetaEntries) + "a", false},
	} {
		var read message.Meta
		if err := read.ReadQuery([]byte(c.query)); (err == nil) != c.ok || err != nil && !errors.Is(err, message.ErrMetaTooLong) {
			t.Errorf("%s: read with %v, want it allowed: %v", name, err, c.ok)
		}
		m := message.New()
		m.Meta().Parse(c.query)
		for range 2 { // as text, then as entries
			if err := m.Err(); (err == nil) != c.ok {
				t.Errorf("%s: sent with %v, want it allowed: %v", name, err, c.ok)
			}
			m.Meta().Len()
		}
	}
}

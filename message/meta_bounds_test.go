package message_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/goerpc/erpc/message"
)

// TestMetadataIsBounded: metadata up to exactly the bounds is sent and read.
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

// TestStatusIsBounded: a status can be sent exactly if it can be read, to the
// byte.
func TestStatusIsBounded(t *testing.T) {
	const head = len("code=500&msg=m&cause=")
	for name, c := range map[string]struct {
		msg, cause string
		ok         bool
	}{
		"short":                {"m", "c", true},
		"longest":              {"m", strings.Repeat("c", message.MaxStatus-head), true},
		"a byte more":          {"m", strings.Repeat("c", message.MaxStatus-head+1), false},
		"longest escaped":      {"m", strings.Repeat("\x00", (message.MaxStatus-head)/3), true},
		"an escaped byte more": {"m", strings.Repeat("\x00", (message.MaxStatus-head)/3+1), false},
		"the message":          {strings.Repeat("m", message.MaxStatus), "", false},
	} {
		st := message.NewStatus(500, c.msg, c.cause)
		err := message.New(message.WithStatus(st)).Err()
		if (err == nil) != c.ok || err != nil && !errors.Is(err, message.ErrStatusTooLong) {
			t.Errorf("%s: sent with %v, want it allowed: %v", name, err, c.ok)
		}
		if _, err := message.ParseStatus(st.AppendQuery(nil)); (err == nil) != c.ok {
			t.Errorf("%s: read with %v, want it allowed: %v", name, err, c.ok)
		}
	}
}

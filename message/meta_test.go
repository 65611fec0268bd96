package message

import (
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func pairs(m *Meta) (all []string) {
	for k, v := range m.All {
		all = append(all, k+"="+v)
	}
	return all
}

func TestMetaKeepsOrderAndDuplicates(t *testing.T) {
	var m Meta
	m.Add("b", "1")
	m.Add("a", "2")
	m.Add("b", "3")
	m.Set("c", "4")
	m.Set("b", "5") // replaces the first of them in place
	m.Add("e", "")
	if got, want := fmt.Sprint(pairs(&m)), "[b=5 a=2 b=3 c=4 e=]"; got != want {
		t.Errorf("entries %s, want %s", got, want)
	}
	if got := m.String(); got != "b=5&a=2&b=3&c=4&e" {
		t.Errorf("query %s", got)
	}
	if got := fmt.Sprintf("%q", m.PeekMulti("b")); got != `["5" "3"]` {
		t.Errorf("all of b: %s", got)
	}
	if m.Len() != 5 || m.Get("b") != "5" || string(m.Peek("b")) != "5" || m.PeekMulti("none") != nil {
		t.Errorf("%d entries, first b %q", m.Len(), m.Get("b"))
	}
	if !m.Has("e") || m.Peek("e") == nil || m.Has("none") || m.Peek("none") != nil || m.Get("none") != "" {
		t.Error("an empty value is taken for none, or none for one")
	}
	m.Del("b")
	m.Del("none")
	if got := m.String(); got != "a=2&c=4&e" {
		t.Errorf("without b: %s", got)
	}
	var visited []string
	m.VisitAll(func(k, v []byte) { visited = append(visited, string(k)+"="+string(v)) })
	if !slices.Equal(visited, pairs(&m)) {
		t.Errorf("VisitAll saw %v", visited)
	}
	for k := range m.All { // and no more
		if k != "a" {
			t.Errorf("went on to %s", k)
		}
		break
	}
	m.Reset()
	if m.Len() != 0 || m.String() != "" || m.Has("a") {
		t.Errorf("after Reset: %v", pairs(&m))
	}
}

// Every byte survives escaping and unescaping, in the escapes of the wire.
func TestMetaEscapesEveryByte(t *testing.T) {
	const kept = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-*"
	for c := range 256 {
		s := string([]byte{byte(c)})
		var m Meta
		m.Add("k"+s, "v"+s)
		esc := fmt.Sprintf("%%%02X", c)
		if strings.IndexByte(kept, byte(c)) >= 0 {
			esc = s
		}
		if got, want := m.String(), "k"+esc+"=v"+esc; got != want {
			t.Errorf("byte %d: %s, want %s", c, got, want)
		}
		var back Meta
		back.Parse(m.String())
		if back.Get("k"+s) != "v"+s || back.Len() != 1 {
			t.Errorf("byte %d arrived back as %q", c, pairs(&back))
		}
	}
}

func TestMetaReadsLooseText(t *testing.T) {
	for query, want := range map[string]string{
		"":               "[]",
		"&&&":            "[]",
		"a":              "[a=]",
		"a=":             "[a=]",
		"=a":             "[=a]",
		"=":              "[=]",
		"a=b=c":          "[a=b=c]",
		"a=1&&b=2&":      "[a=1 b=2]",
		"a+b=c+d":        "[a b=c d]",
		"a=%2b%2B":       "[a=++]",
		"a=%":            "[a=%]",
		"a=%2":           "[a=%2]",
		"a=%zz&b=%4x":    "[a=%zz b=%4x]",
		"a=%25zz":        "[a=%zz]",
		"%61=1&a=2":      "[a=1 a=2]",
		"a=%00%ff":       "[a=\x00\xff]",
		"x=1&a=\xff\x00": "[x=1 a=\xff\x00]",
	} {
		var m Meta
		m.Parse(query)
		if got := fmt.Sprint(pairs(&m)); got != want {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
}

// The answers of a Meta do not depend on whether its text has been parsed.
func TestLazyAndParsedAgree(t *testing.T) {
	for _, query := range []string{"", "a=1&b=2&a=3", "a", "a=&a=x", "a%20b=1", "x=+&a=1", "a=1&%61=2", "&&=v&a", "%61=1&b=%"} {
		for _, key := range []string{"a", "b", "a b", "", "none"} {
			var lazy, parsed Meta
			lazy.SetQuery([]byte(query))
			parsed.SetQuery([]byte(query))
			parsed.Len() // parses it
			if l, p := lazy.Peek(key), parsed.Peek(key); !bytes.Equal(l, p) || (l == nil) != (p == nil) {
				t.Errorf("%q: Peek(%q) is %q lazily and %q parsed", query, key, l, p)
			}
			lazy.SetQuery([]byte(query))
			if l, p := lazy.Get(key), parsed.Get(key); l != p {
				t.Errorf("%q: Get(%q) is %q lazily and %q parsed", query, key, l, p)
			}
			lazy.SetQuery([]byte(query))
			if l, p := lazy.Has(key), parsed.Has(key); l != p {
				t.Errorf("%q: Has(%q) is %v lazily and %v parsed", query, key, l, p)
			}
		}
	}
}

func TestMetaOwnership(t *testing.T) {
	buf := []byte("a=1&b=2&c=3")
	var m, cp, parsed Meta
	m.SetQuery(buf)
	v := m.Peek("b")
	if &v[0] != &buf[6] {
		t.Error("Peek copies where it need not")
	}
	if v = append(v, "3333"...); string(buf) != "a=1&b=2&c=3" {
		t.Errorf("appending to what Peek returned wrote into the text: %q, %q", buf, v)
	}
	m.CopyTo(&cp)
	m.CopyTo(&m) // does nothing
	m.Len()
	m.CopyTo(&parsed)
	parsed.Add("d", "4")
	copy(buf, "XXXXXXXXXXX") // the storage of the message is used again
	for name, meta := range map[string]*Meta{"parsed": &m, "copy": &cp, "copy of parsed": &parsed} {
		if meta.Get("a") != "1" || meta.Get("b") != "2" || meta.Get("c") != "3" {
			t.Errorf("%s kept what it does not own: %q", name, pairs(meta))
		}
	}
	if m.Has("d") || !parsed.Has("d") {
		t.Error("a copy is not independent")
	}
	cp.CopyTo(&parsed)
	if parsed.Len() != 3 {
		t.Errorf("CopyTo added to what was there: %q", pairs(&parsed))
	}
	m.SetQuery(nil)
	if m.Len() != 0 || m.String() != "" {
		t.Errorf("no query: %q", pairs(&m))
	}
}

func TestMetaPeekAllocatesNothing(t *testing.T) {
	query := []byte("author=andeya&X-Erpc-Timeout=100")
	var m Meta
	if n := testing.AllocsPerRun(100, func() {
		m.SetQuery(query)
		if m.Peek("X-Erpc-Timeout") == nil || m.Peek("none") != nil {
			t.Error("wrong value")
		}
	}); n != 0 {
		t.Errorf("Peek allocates %v times", n)
	}
}

// FuzzMeta: any text can be parsed, the parsed entries survive writing and
// parsing, and where net/url accepts the text, it parses the same.
func FuzzMeta(f *testing.F) {
	for _, s := range []string{"a=1&b=2", "a%20b=%FF&&c", "=+%", "a=1;b=2"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, query []byte) {
		var m, back Meta
		m.SetQuery(bytes.Clone(query))
		first := pairs(&m)
		text := m.QueryString()
		back.SetQuery(text)
		second := pairs(&back)
		nameless := func(p string) bool { return p == "=" } // has no text of its own
		if !slices.Equal(slices.DeleteFunc(slices.Clone(first), nameless), second) {
			t.Errorf("%q reads as %q, is written as %q and then reads as %q", query, first, text, second)
		}
		if want, err := url.ParseQuery(string(query)); err == nil {
			for k, vs := range want {
				var got []string
				for _, v := range m.PeekMulti(k) {
					got = append(got, string(v))
				}
				if !slices.Equal(got, vs) {
					t.Errorf("%q: %q is %q, net/url says %q", query, k, got, vs)
				}
			}
		}
	})
}

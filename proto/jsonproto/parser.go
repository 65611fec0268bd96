package jsonproto

import "math"

// A parser reads JSON strictly, except that it takes control bytes in strings.
// i is the next byte of b.
type parser struct {
	b   []byte
	i   int
	ids *[]byte // the destination for filter IDs of the sub-protocol; else nil
}

func (p *parser) unexpected() error {
	if p.i >= len(p.b) {
		return malformed("the text ends too soon")
	}
	return malformed("%q at offset %d of the text", p.b[p.i], p.i)
}

func (p *parser) space() {
	for p.i < len(p.b) {
		switch p.b[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// literal consumes s if it is next.
func (p *parser) literal(s string) bool {
	if len(p.b)-p.i < len(s) || string(p.b[p.i:p.i+len(s)]) != s {
		return false
	}
	p.i += len(s)
	return true
}

// end checks that the text ends here.
func (p *parser) end() error {
	p.space()
	if p.i < len(p.b) {
		return p.unexpected()
	}
	return nil
}

// key consumes the key of a field and its colon.
func (p *parser) key() ([]byte, error) {
	p.space()
	t, err := p.text(header)
	if err != nil {
		return nil, err
	}
	key, ok := t.bytes()
	p.space()
	if !ok || !p.literal(":") {
		return nil, p.unexpected()
	}
	p.space()
	return key, nil
}

// text consumes a string. Its escapes are checked when it is unescaped.
func (p *parser) text(r rule) (text, error) {
	if !p.literal(`"`) {
		return text{}, p.unexpected()
	}
	t := text{rule: r}
	b := p.b
	for i := p.i; i < len(b); i++ {
		switch b[i] {
		case '"':
			t.b = b[p.i:i:i]
			p.i = i + 1
			return t, nil
		case '\\':
			t.escaped = true
			i++
		}
	}
	p.i = len(b)
	return text{}, p.unexpected()
}

// integer consumes an integer from lo to hi.
func (p *parser) integer(lo, hi int64) (int64, error) {
	at := p.i
	neg := p.literal("-")
	first := p.i
	var n int64
	for ; p.i < len(p.b) && isDigit(p.b[p.i]); p.i++ {
		n = n*10 + int64(p.b[p.i]-'0')
		if n > math.MaxUint32 {
			return 0, malformed("the number at offset %d is not within %d and %d", at, lo, hi)
		}
	}
	if p.i == first || p.i-first > 1 && p.b[first] == '0' {
		return 0, p.unexpected()
	}
	if p.i < len(p.b) && (p.b[p.i] == '.' || p.b[p.i]|0x20 == 'e') {
		return 0, malformed("the number at offset %d is not an integer", at)
	}
	if neg {
		n = -n
	}
	if n < lo || n > hi {
		return 0, malformed("the number at offset %d is not within %d and %d", at, lo, hi)
	}
	return n, nil
}

// skip consumes any value, at nesting level depth.
func (p *parser) skip(depth int) error {
	if depth > maxDepth {
		return malformed("values nested deeper than %d", maxDepth)
	}
	if p.i >= len(p.b) {
		return p.unexpected()
	}
	switch c := p.b[p.i]; {
	case c == '"':
		t, err := p.text(header)
		if err == nil && t.escaped {
			if _, ok := t.bytes(); !ok {
				err = malformed("escapes of the string that ends at offset %d", p.i)
			}
		}
		return err
	case c == '{':
		p.i++
		return p.skipList("}", depth, true)
	case c == '[':
		p.i++
		return p.skipList("]", depth, false)
	case c == '-' || isDigit(c):
		return p.skipNumber()
	case p.literal("null"), p.literal("true"), p.literal("false"):
		return nil
	}
	return p.unexpected()
}

// skipList consumes the rest of an array, or of an object if keys is true.
func (p *parser) skipList(end string, depth int, keys bool) error {
	p.space()
	if p.literal(end) {
		return nil
	}
	for {
		if keys {
			if _, err := p.key(); err != nil {
				return err
			}
		}
		p.space()
		if err := p.skip(depth + 1); err != nil {
			return err
		}
		p.space()
		switch {
		case p.literal(end):
			return nil
		case !p.literal(","):
			return p.unexpected()
		}
	}
}

func (p *parser) skipNumber() error {
	p.literal("-")
	if !p.literal("0") && !p.digits() {
		return p.unexpected()
	}
	if p.literal(".") && !p.digits() {
		return p.unexpected()
	}
	if p.literal("e") || p.literal("E") {
		if !p.literal("-") {
			p.literal("+")
		}
		if !p.digits() {
			return p.unexpected()
		}
	}
	return nil
}

// digits consumes digits and reports whether there were any.
func (p *parser) digits() bool {
	at := p.i
	for p.i < len(p.b) && isDigit(p.b[p.i]) {
		p.i++
	}
	return p.i > at
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

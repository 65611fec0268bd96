package httproto

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// A CORS says what scripts of other origins may do. It adds nothing to what
// other clients may do, and takes nothing away from them.
type CORS struct {
	// Origins may call, such as https://example.org; * stands for all.
	Origins []string
	// Headers may be sent, besides those that always may; they become
	// metadata. Content-Type is always among them.
	Headers []string
	// Expose are the headers of replies that scripts may see: metadata.
	Expose []string
	// Credentials lets cookies be sent. Origins must not be * then.
	Credentials bool
	// MaxAge is how long a browser may remember this.
	MaxAge time.Duration
}

// cors is a [CORS] made ready; nil lets nobody.
type cors struct {
	origins         []string
	any             bool
	headers, expose string
	credentials     bool
	maxAge          string
}

func (c *CORS) complete() *cors {
	if c == nil {
		return nil
	}
	d := &cors{
		origins:     slices.Clone(c.Origins),
		any:         slices.Contains(c.Origins, "*"),
		headers:     strings.Join(append([]string{"Content-Type"}, c.Headers...), ", "),
		expose:      strings.Join(c.Expose, ", "),
		credentials: c.Credentials,
	}
	if d.any && d.credentials {
		panic("httproto: CORS with credentials for any origin lets every page act for its visitor; name the origins")
	}
	if c.MaxAge > 0 {
		d.maxAge = strconv.Itoa(int(c.MaxAge / time.Second))
	}
	return d
}

// add adds what every answer to a script needs. It reports whether the script's
// origin may call.
func (c *cors) add(p *packer, origin string) bool {
	if c == nil {
		return false
	}
	if !c.any {
		p.add("Vary", "Origin")
	}
	if origin == "" || !c.any && !slices.Contains(c.origins, origin) {
		return false
	}
	if c.any {
		origin = "*"
	}
	p.add("Access-Control-Allow-Origin", origin)
	if c.credentials {
		p.add("Access-Control-Allow-Credentials", "true")
	}
	if c.expose != "" {
		p.add("Access-Control-Expose-Headers", c.expose)
	}
	return true
}

// appendOptions appends the answer to OPTIONS, which may ask what a script is
// allowed (preflight).
func (f *format) appendOptions(dst []byte, t *turn, preflight bool) []byte {
	p := packers.Get().(*packer)
	defer p.free()
	p.add("Allow", f.cfg.allow)
	p.addConnection(t, t.close)
	if f.cfg.cors.add(p, t.origin) && preflight {
		p.add("Access-Control-Allow-Methods", f.cfg.allow)
		p.add("Access-Control-Allow-Headers", f.cfg.cors.headers)
		if f.cfg.cors.maxAge != "" {
			p.add("Access-Control-Max-Age", f.cfg.cors.maxAge)
		}
	}
	return p.place(dst, len(dst), "HTTP/1.1 ", strconv.Itoa(statusNoContent), " ", reason(statusNoContent))
}

package httpgate

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A CORS says what scripts of other origins may do. It does not change what other
// clients may do.
type CORS struct {
	// Origins may call, such as https://example.org; * stands for all.
	Origins []string `yaml:"origins" ini:"origins" comment:"Origins that may call, such as https://example.org; * is every one"`
	// Headers may be sent, besides those that always may; they become
	// metadata. Content-Type is always among them.
	Headers []string `yaml:"headers" ini:"headers" comment:"Headers that may be sent; they become metadata"`
	// Expose are the headers of replies that scripts may see: metadata.
	Expose []string `yaml:"expose" ini:"expose" comment:"Headers of replies that scripts may see"`
	// Credentials lets cookies be sent. Origins must not be * then.
	Credentials bool `yaml:"credentials" ini:"credentials" comment:"Cookies may be sent"`
	// MaxAge is how long a browser may cache the answer to a preflight.
	MaxAge time.Duration `yaml:"max_age" ini:"max_age" comment:"How long a browser may remember this"`
}

// cors is a prepared [CORS]; nil allows no origin.
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
		panic("httpgate: CORS with credentials for any origin lets every page act for its visitor; name the origins")
	}
	if c.MaxAge > 0 {
		d.maxAge = strconv.Itoa(int(c.MaxAge / time.Second))
	}
	return d
}

// add adds the fields that every answer to a script needs. It reports whether the
// script's origin may call.
func (c *cors) add(h http.Header, origin string) bool {
	if c == nil {
		return false
	}
	if !c.any {
		h.Add("Vary", "Origin")
	}
	if origin == "" || !c.any && !slices.Contains(c.origins, origin) {
		return false
	}
	if c.any {
		origin = "*"
	}
	h.Set("Access-Control-Allow-Origin", origin)
	if c.credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if c.expose != "" {
		h.Set("Access-Control-Expose-Headers", c.expose)
	}
	return true
}

// addPreflight adds the fields that answer the preflight request of a browser.
func (c *cors) addPreflight(h http.Header, allow string) {
	h.Set("Access-Control-Allow-Methods", allow)
	h.Set("Access-Control-Allow-Headers", c.headers)
	if c.maxAge != "" {
		h.Set("Access-Control-Max-Age", c.maxAge)
	}
}

package httpgate

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// Defaults of [Config].
const (
	DefaultMaxFields = 128
	DefaultGzipFrom  = 1 << 10 // bytes
	DefaultChallenge = "Bearer"
)

// A Config adjusts a [Handler]. The zero value is ready to use, and safe for
// peers that browsers can reach.
type Config struct {
	// MaxFields is how many header fields a request may have; 0 means 128.
	MaxFields int `yaml:"max_fields" ini:"max_fields" comment:"Header fields that a request may have; 0 is 128"`
	// GzipFrom is the size, in bytes, from which a body is compressed for a client
	// that accepts that; 0 means 1 KiB, a value below 0 never.
	GzipFrom int `yaml:"gzip_from" ini:"gzip_from" comment:"Size in bytes from which a body is compressed; 0 is 1 KiB, below 0 none is"`
	// Methods are the HTTP methods with which clients may call handlers; nil means
	// GET, HEAD, POST, PUT, PATCH and DELETE. OPTIONS is always answered.
	Methods []string `yaml:"methods" ini:"methods" comment:"HTTP methods that handlers may be called with; none is GET, HEAD, POST, PUT, PATCH and DELETE"`
	// Routes are paths that stand for a service method, with parameters.
	Routes []Route `yaml:"routes" ini:"routes" comment:"Paths that stand for a service method"`
	// Status returns the status of HTTP, 200 to 599, for a code of erpc other than
	// 0. If it is nil, 400 to 599 stand for themselves and all others become 500.
	Status func(code int32) int `yaml:"-" ini:"-"`
	// Challenge is the WWW-Authenticate of a 401 if the handler has set none; ""
	// means Bearer.
	Challenge string `yaml:"challenge" ini:"challenge" comment:"WWW-Authenticate of a 401; empty is Bearer"`

	// UnsafeGET lets GET and HEAD call every handler, as erpc v7 did, rather
	// than those marked safe. Any page can make its visitor send a GET.
	UnsafeGET bool `yaml:"unsafe_get" ini:"unsafe_get" comment:"GET and HEAD may call every handler, as erpc v7 lets them"`
	// Hosts are the names of the server, with or without a port; requests for
	// others are refused. Set it if the server listens on localhost or inside a
	// network: for a browser, a page whose own name resolves to such an address
	// (DNS rebinding) is of the same origin. Nil allows any name.
	Hosts []string `yaml:"hosts" ini:"hosts" comment:"Names of the server; requests for others are refused; none is every name"`
	// CORS allows scripts of other origins to call; nil allows none.
	CORS *CORS `yaml:"cors" ini:"cors" comment:"What scripts of other origins may do; left out, nothing"`
	// AnyOrigin switches off the check that refuses requests of origins other than
	// the server's and those of CORS.
	AnyOrigin bool `yaml:"any_origin" ini:"any_origin" comment:"Accept requests of pages of every origin"`
}

// A Route lets requests of a pattern call a service method. The pattern is one of
// [http.ServeMux], such as "GET /users/{id}"; requests with other methods get 405.
// The handler finds the value of {id} in the metadata under the key "{id}". If the
// request has no body, it is also in the argument, as a pair of a form: in the field
// with that name in its tag form or json, or with that name in the code, in any
// case. GET and HEAD are allowed if the handler or the route is marked safe.
type Route struct {
	Pattern string `yaml:"pattern" ini:"pattern" comment:"Pattern of net/http, such as GET /users/{id}"`
	Method  string `yaml:"method" ini:"method" comment:"Service method that it stands for"`
	// Safe says that the method changes nothing, and Stream that it is one of streams.
	// They are needed only for methods whose handlers are behind a proxy; the peer
	// knows its own.
	Safe   bool `yaml:"safe" ini:"safe" comment:"The method changes nothing, for methods behind a proxy"`
	Stream bool `yaml:"stream" ini:"stream" comment:"The method is one of streams, for methods behind a proxy"`
}

func (c Config) complete() Config {
	if c.MaxFields == 0 {
		c.MaxFields = DefaultMaxFields
	}
	if c.GzipFrom == 0 {
		c.GzipFrom = DefaultGzipFrom
	}
	if c.Methods == nil {
		c.Methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
	}
	if c.Status == nil {
		c.Status = statusOf
	}
	if c.Challenge == "" {
		c.Challenge = DefaultChallenge
	}
	return c
}

// statusOf returns the status of HTTP for a code of erpc: codes from 400 to 599
// stand for themselves, any other is a failure of the handler.
func statusOf(code int32) int {
	if code >= 400 && code <= 599 {
		return int(code)
	}
	return http.StatusInternalServerError
}

var parameter = regexp.MustCompile(`\{([^{}.$]+)(\.\.\.)?\}`)

// parameters returns the names of the parameters of a pattern.
func parameters(pattern string) []string {
	var names []string
	for _, m := range parameter.FindAllStringSubmatch(pattern, -1) {
		names = append(names, m[1])
	}
	return names
}

// mux returns a mux that finds the route of a request, or nil without routes. It
// panics on invalid patterns, which are a mistake in the program.
func (c Config) mux(serve func(w http.ResponseWriter, r *http.Request, to Route, path []string)) *http.ServeMux {
	if len(c.Routes) == 0 {
		return nil
	}
	mux := http.NewServeMux()
	for _, route := range c.Routes {
		if route.Method == "" {
			panic(fmt.Sprintf("httpgate: the route %q names no service method", route.Pattern))
		}
		names := parameters(route.Pattern)
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) { serve(w, r, route, names) })
	}
	return mux
}

// hosts are the names of Config.Hosts.
func hosts(names []string) map[string]bool {
	if len(names) == 0 {
		return nil
	}
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[strings.ToLower(name)] = true
	}
	return set
}

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
	MaxFields int
	// GzipFrom is the size, in bytes, from which a body is compressed for a client
	// that accepts that; 0 means 1 KiB, a value below 0 never.
	GzipFrom int
	// Methods are the HTTP methods with which clients may call handlers; nil means
	// GET, HEAD, POST, PUT, PATCH and DELETE. OPTIONS is always answered.
	Methods []string
	// Routes are paths that stand for a service method, with parameters.
	Routes []Route
	// Status returns the status of HTTP, 200 to 599, for a code of erpc other than
	// 0. If it is nil, 400 to 599 stand for themselves and all others become 500.
	Status func(code int32) int
	// Challenge is the WWW-Authenticate of a 401 if the handler has set none; ""
	// means Bearer.
	Challenge string

	// UnsafeGET lets GET and HEAD call every handler, as erpc v7 did, rather
	// than those marked safe. Any page can make its visitor send a GET.
	UnsafeGET bool
	// Hosts are the names of the server, with or without a port; requests for
	// others are refused. Set it if the server listens on localhost or inside a
	// network: for a browser, a page whose own name resolves to such an address
	// (DNS rebinding) is of the same origin. Nil allows any name.
	Hosts []string
	// CORS allows scripts of other origins to call; nil allows none.
	CORS *CORS
	// AnyOrigin switches off the check that refuses requests of origins other than
	// the server's and those of CORS.
	AnyOrigin bool
}

// A Route lets requests of a pattern call a service method. The pattern is one of
// [http.ServeMux], such as "GET /users/{id}"; requests with other methods get 405.
// The handler finds the value of {id} in the metadata under the key "{id}". If the
// request has no body, it is also in the argument, as a pair of a form: in the field
// with that name in its tag form or json, or with that name in the code, in any
// case. GET and HEAD are allowed if the handler or the route is marked safe.
type Route struct {
	Pattern, Method string
	// Safe says that the method changes nothing, and Stream that it is one of streams.
	// They are needed only for methods whose handlers are behind a proxy; the peer
	// knows its own.
	Safe, Stream bool
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

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
	// MaxFields is how many header fields a request may have; 0 is 128.
	MaxFields int
	// GzipFrom is the size, in bytes, from which a body is compressed for a
	// client that takes that; 0 is 1 KiB, below 0 none is.
	GzipFrom int
	// Methods are those that clients may call handlers with; nil is GET, HEAD,
	// POST, PUT, PATCH and DELETE. OPTIONS is always answered.
	Methods []string
	// Routes are paths that stand for a service method, with parameters.
	Routes []Route
	// Status returns the status of HTTP, 200 to 599, for a code of erpc other
	// than 0. Nil: 400 to 599 stand for themselves, all others are 500.
	Status func(code int32) int
	// Challenge is the WWW-Authenticate of a 401 to which the handler has set
	// none; "" is Bearer.
	Challenge string

	// UnsafeGET lets GET and HEAD call every handler, as erpc v7 did, rather
	// than those marked safe. Any page can make its visitor send a GET.
	UnsafeGET bool
	// Hosts are the names under which the server is known, with or without a
	// port; requests for others are refused. Set it where a server listens on
	// localhost or inside a network: a page whose own name resolves to such an
	// address (DNS rebinding) is of the same origin for a browser. Nil is any.
	Hosts []string
	// CORS lets scripts of other origins call; nil lets none.
	CORS *CORS
	// AnyOrigin switches the protection off that refuses requests of other
	// origins than the server's and those of CORS.
	AnyOrigin bool
}

// A Route has requests of a pattern call a service method. A pattern is that of
// [http.ServeMux], such as "GET /users/{id}"; requests of other methods get 405.
// The handler finds the value of {id} in the metadata under the key "{id}", and in
// its argument if the request has no body, as a pair of a form: in the field with
// that name in its tag form or json or, whatever the case, in its code. GET and HEAD
// are let through if the handler is marked safe, or the route is.
type Route struct {
	Pattern, Method string
	// Safe says that the method changes nothing, and Stream that it is one of streams.
	// They are for methods whose handlers are behind a proxy: those of the peer are
	// marked and known themselves.
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

// statusOf returns the status of HTTP for a code of erpc: codes that are one
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

// mux returns what finds the route of a request, nil if there are no routes. It
// panics on patterns that can't work, which is a mistake in the program.
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

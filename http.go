package erpc

import (
	"net/http"

	"github.com/goerpc/erpc/proto/httproto/httpgate"
	"github.com/goerpc/erpc/router"
)

type (
	// An HTTPConfig adjusts an [HTTPHandler]; its zero value works. See
	// [httpgate.Config].
	HTTPConfig = httpgate.Config
	// An HTTPRoute is a path with parameters that stands for a service method.
	// See [httpgate.Route].
	HTTPRoute = httpgate.Route
)

// HTTPHandler returns a handler that lets HTTP clients call the handlers of p,
// to be mounted in any HTTP server. See [httpgate.Handler].
func HTTPHandler(p Peer, cfg HTTPConfig) http.Handler { return httpgate.New(p.Host(), cfg) }

// Safe returns the plugin that marks handlers as changing nothing, so that HTTP
// clients may call them with GET. See [router.Safe].
func Safe() Plugin { return router.Safe() }

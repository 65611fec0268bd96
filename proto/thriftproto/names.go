package thriftproto

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// names maps the methods of thrift services to those of erpc and back.
type names struct {
	service     string
	multiplexed bool
	mapper      func(prefix, name string) string
	oneway      map[string]bool // by the name without its service
}

func newNames(c StockConfig) names {
	n := names{service: c.Service, multiplexed: c.Multiplexed, mapper: c.Mapper, oneway: map[string]bool{}}
	if n.mapper == nil {
		n.mapper = func(prefix, name string) string { return strings.Trim(prefix+"."+name, ".") }
	}
	for _, m := range c.Oneway {
		n.oneway[m] = true
	}
	return n
}

// split divides "Service:method".
func (n names) split(wire string) (service, method string) {
	if service, method, ok := strings.Cut(wire, ":"); ok {
		return service, method
	}
	return n.service, wire
}

// serviceMethod returns the service method for a name on the wire. A name that
// begins with a slash comes from a peer of erpc, because a thrift method can't
// have one.
func (n names) serviceMethod(wire string) string {
	if strings.HasPrefix(wire, "/") {
		return wire
	}
	service, method := n.split(wire)
	if method == "" {
		return ""
	}
	prefix := ""
	if service != "" {
		prefix = n.mapper("", goName(service))
	}
	return n.mapper(prefix, goName(method))
}

func (n names) isOneway(wire string) bool {
	_, method := n.split(wire)
	return n.oneway[method]
}

// wire returns the name on the wire for the service method of a caller.
func (n names) wire(serviceMethod string) string {
	if strings.HasPrefix(serviceMethod, "/") || strings.Contains(serviceMethod, ":") {
		return serviceMethod
	}
	service, method := n.service, serviceMethod
	if at := strings.LastIndexByte(serviceMethod, '.'); at >= 0 {
		service, method = serviceMethod[:at], serviceMethod[at+1:]
	}
	if service == "" || service == n.service && !n.multiplexed {
		return method
	}
	return service + ":" + method
}

// goName returns the name in Go style: get_item is GetItem.
func goName(name string) string {
	var b strings.Builder
	up := true
	for _, r := range name {
		switch {
		case r == '_':
			up = true
			continue
		case up && r != utf8.RuneError:
			r = unicode.ToUpper(r)
		}
		b.WriteRune(r)
		up = false
	}
	if b.Len() == 0 {
		return name
	}
	return b.String()
}

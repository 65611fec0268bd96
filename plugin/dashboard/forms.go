package dashboard

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/reflect"
)

// form is an element of the answer of api/handlers: a method that the call form
// can call.
type form struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Arg    string `json:"arg"` // the Go type, for people
	Result string `json:"result"`
}

func formOf(h *erpc.Handler) form {
	f := form{Name: h.Name(), Kind: kindCall, Arg: typeName(h.ArgElemType()), Result: typeName(h.ReplyType())}
	switch {
	case h.IsPush():
		f.Kind = kindPush
	case h.IsStream():
		f.Kind = kindStream
	}
	return f
}

// isStream reports whether a method has a handler of streams.
func (d *Dashboard) isStream(method string) bool {
	return slices.ContainsFunc(d.registered(), func(h *erpc.Handler) bool { return h.IsStream() && h.Name() == method })
}

func typeName(t interface{ String() string }) string {
	if t == nil {
		return ""
	}
	return strings.TrimLeft(t.String(), "*")
}

func (d *Dashboard) forms(*http.Request) (any, error) {
	list := []form{}
	for _, h := range d.registered() {
		list = append(list, formOf(h))
	}
	return list, nil
}

// description is the answer of api/describe.
type description struct {
	form
	Example      string          `json:"example"` // of an argument, as JSON
	ArgSchema    *reflect.Schema `json:"argSchema"`
	ResultSchema *reflect.Schema `json:"resultSchema"`
	Target       string          `json:"target"` // of the command erpc
}

// describe serves api/describe, with the parameters method and kind.
func (d *Dashboard) describe(r *http.Request) (any, error) {
	for _, h := range d.registered() {
		f := formOf(h)
		if f.Name != r.FormValue("method") || f.Kind != r.FormValue("kind") {
			continue
		}
		v := description{form: f, ArgSchema: reflect.SchemaOf(h.ArgElemType(), false), ResultSchema: reflect.SchemaOf(h.ReplyType(), true), Target: d.target()}
		b, err := json.MarshalIndent(v.ArgSchema.Example(), "", "  ")
		if err != nil {
			return nil, fmt.Errorf("dashboard: example of %s: %w", f.Name, err)
		}
		v.Example = string(b)
		return v, nil
	}
	return nil, refusal{http.StatusNotFound, "no such method is registered"}
}

// target returns the address of this peer as the command erpc takes it.
func (d *Dashboard) target() string {
	if d.cfg.Target != "" {
		return d.cfg.Target
	}
	listeners := d.peer.Listeners()
	if len(listeners) == 0 {
		return "HOST:PORT"
	}
	cfg, addr := d.peer.Config(), listeners[0].Addr()
	protocol := ""
	if cfg.Protocol != "" && cfg.Protocol != "raw" {
		protocol = cfg.Protocol
	}
	place, scheme := local(addr.String()), []string{}
	if protocol != "" {
		scheme = append(scheme, protocol)
	}
	switch network := addr.Network(); {
	case strings.HasPrefix(network, "unix"):
		scheme = append(scheme, "unix")
	case d.peer.TLSConfig() != nil:
		scheme = append(scheme, "tls")
	}
	if len(scheme) == 0 {
		return place
	}
	return strings.Join(scheme, "+") + "://" + place
}

// local returns an address that can be dialed on this machine.
func local(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("localhost", port)
	}
	return addr
}

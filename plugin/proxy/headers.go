package proxy

import (
	"errors"
	"strconv"
	"strings"

	"github.com/goerpc/erpc"
)

// metaHops carries how many proxies a message has passed.
const metaHops = "X-Erpc-Hops"

// hopByHop is what the names of metadata between neighbours begin with. The
// deadline is among that: the session with the backend says what is left then.
const hopByHop = "X-Erpc-"

var errHops = errors.New("proxy: the message has passed too many proxies; do they forward to each other?")

// forwarded is the metadata that a message is sent on with.
type forwarded struct {
	settings []erpc.MessageSetting
	realIP   string
	hops     int // proxies in front of this one
}

// filter returns the metadata that is forwarded. Names count without their
// case, because HTTP changes it.
func (p *proxy) filter(ctx erpc.PushCtx) forwarded {
	f := forwarded{realIP: ctx.IP()}
	claimed, at := false, -1 // the place of the address among the settings, so that it stays where the client had it
	add := func(k, v string) { f.settings = append(f.settings, erpc.WithAddMeta(k, v)) }
	ctx.VisitMeta(func(key, value []byte) {
		k := string(key)
		switch {
		case strings.EqualFold(k, metaHops):
			f.hops = max(f.hops, parseHops(string(value)))
		case isErpcs(k):
		case strings.EqualFold(k, erpc.MetaRealIP):
			if at < 0 {
				at = len(f.settings)
				f.settings = append(f.settings, nil)
			}
			if p.cfg.TrustRealIP && !claimed && len(value) > 0 {
				claimed, f.realIP = true, string(value)
			}
		case strings.EqualFold(k, "Host") && !p.cfg.TrustHost:
		case isForwarding(k) && !p.cfg.TrustRealIP:
		default:
			add(k, string(value))
		}
	})
	address := erpc.WithAddMeta(erpc.MetaRealIP, f.realIP)
	if at >= 0 {
		f.settings[at] = address
	} else {
		f.settings = append(f.settings, address)
	}
	add(metaHops, strconv.Itoa(f.hops+1))
	return f
}

// maxHopsText bounds what is parsed; more proxies than that there are not.
const maxHopsText = 9

// parseHops reads a number of hops. What is none counts as very many: it was not
// written by a proxy.
func parseHops(s string) int {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || len(s) > maxHopsText {
		return 1 << 30
	}
	return int(n)
}

func isErpcs(name string) bool {
	return len(name) >= len(hopByHop) && strings.EqualFold(name[:len(hopByHop)], hopByHop)
}

// isForwarding reports whether HTTP servers take the field for what a proxy of
// theirs says of the client.
func isForwarding(name string) bool {
	const forwarded = "X-Forwarded-"
	return strings.EqualFold(name, "Forwarded") ||
		len(name) >= len(forwarded) && strings.EqualFold(name[:len(forwarded)], forwarded)
}

// isAbsolute reports whether an HTTP client would take the method for a URL with
// a host of its own.
func isAbsolute(method string) bool {
	if strings.HasPrefix(method, "//") {
		return true
	}
	scheme, _, found := strings.Cut(method, "://")
	return found && !strings.ContainsAny(scheme, "/?#")
}

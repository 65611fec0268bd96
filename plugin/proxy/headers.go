package proxy

import (
	"errors"
	"strconv"
	"strings"

	"github.com/goerpc/erpc"
)

// metaHops is the metadata with the number of proxies that a message has
// passed.
const metaHops = "X-Erpc-Hops"

// hopByHop is the prefix of metadata between neighbours. It includes the
// deadline: the session with the backend sends the time that is left.
const hopByHop = "X-Erpc-"

var errHops = errors.New("proxy: the message has passed too many proxies; do they forward to each other?")

// forwarded holds the metadata to forward a message with.
type forwarded struct {
	settings []erpc.MessageSetting
	realIP   string
	hops     int // proxies that the message has passed before this one
}

// filter returns the metadata to forward. It ignores the case of names, because
// HTTP changes it.
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

// maxHopsText bounds the digits that are parsed, far above any real number of
// proxies.
const maxHopsText = 9

// parseHops parses a number of hops. An invalid text, which no proxy has
// written, counts as a very large number.
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

// isForwarding reports whether name is a field with which HTTP proxies describe
// the client.
func isForwarding(name string) bool {
	const forwarded = "X-Forwarded-"
	return strings.EqualFold(name, "Forwarded") ||
		len(name) >= len(forwarded) && strings.EqualFold(name[:len(forwarded)], forwarded)
}

// isAbsolute reports whether an HTTP client would parse the method as a URL
// with a host.
func isAbsolute(method string) bool {
	if strings.HasPrefix(method, "//") {
		return true
	}
	scheme, _, found := strings.Cut(method, "://")
	return found && !strings.ContainsAny(scheme, "/?#")
}

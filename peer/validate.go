package peer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/socket"
)

// maxKeepAlive is the longest period of TCP keepalive that Linux takes: 32,767 s
// in a socket option of 16 bits.
const maxKeepAlive = math.MaxInt16 * time.Second

// Validate returns the errors of the configuration, joined; each names its key.
// It reads the files that the configuration names.
func (c *Config) Validate() error {
	errs := slices.Concat(c.checkNames(), c.checkSizes(), c.checkDurations())
	if _, err := c.tlsConfig(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c *Config) checkNames() (errs []error) {
	switch c.QueuePolicy {
	case "", socket.Block, socket.DropNew, socket.DropOld, socket.Disconnect:
	default:
		errs = append(errs, fmt.Errorf("peer: queue_policy %q is unknown; use block, drop_new, drop_old or disconnect", c.QueuePolicy))
	}
	if c.DefaultBodyCodec != "" {
		if _, err := codec.GetByName(c.DefaultBodyCodec); err != nil {
			errs = append(errs, fmt.Errorf("peer: default_body_codec: %w; register it before the peer is made", err))
		}
	}
	for _, name := range c.AcceptCodecs {
		if _, err := codec.GetByName(name); err != nil {
			errs = append(errs, fmt.Errorf("peer: accept_codecs: %w; register it before the peer is made", err))
		}
	}
	for i, l := range c.Listeners {
		if l.Address == "" {
			errs = append(errs, fmt.Errorf("peer: listeners[%d].address is empty; give one, such as :9090", i))
		}
	}
	if len(c.Listeners) > 0 && c.ListenAddress != "" {
		errs = append(errs, errors.New("peer: listen_address and listeners are both set; move the address into the list"))
	}
	return errs
}

// codecs returns the codecs that a valid configuration accepts; nil means all.
func (c *Config) codecs() *codec.Set {
	if len(c.AcceptCodecs) == 0 {
		return nil
	}
	var ids []byte
	for _, name := range append([]string{c.DefaultBodyCodec}, c.AcceptCodecs...) {
		if k, err := codec.GetByName(name); err == nil {
			ids = append(ids, k.ID())
		}
	}
	return codec.NewSet(ids...)
}

func (c *Config) checkSizes() (errs []error) {
	for _, n := range []struct {
		key   string
		value int
	}{{"read_limit", c.ReadLimit}, {"queue_limit", c.QueueLimit}, {"max_sessions", c.MaxSessions}, {"stream_message_limit", c.StreamMessageLimit},
		{"socket_read_buffer", c.SocketReadBuffer}, {"socket_write_buffer", c.SocketWriteBuffer}} {
		if n.value < 0 {
			errs = append(errs, fmt.Errorf("peer: %s is %d; it must not be below 0", n.key, n.value))
		}
	}
	if int64(c.ReadLimit) > math.MaxUint32 {
		errs = append(errs, fmt.Errorf("peer: read_limit is %d; no frame is longer than %d bytes", c.ReadLimit, int64(math.MaxUint32)))
	}
	return errs
}

func (c *Config) checkDurations() (errs []error) {
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"redial_interval", c.RedialInterval}, {"redial_max_interval", c.RedialMaxInterval},
		{"default_session_age", c.DefaultSessionAge}, {"default_context_age", c.DefaultContextAge},
		{"slow_comet_duration", c.SlowCometDuration}, {"idle_timeout", c.IdleTimeout}, {"stuck_timeout", c.StuckTimeout},
		{"call_timeout", c.CallTimeout}, {"flush_delay", c.FlushDelay}, {"socket_keep_alive_period", c.SocketKeepAlivePeriod}} {
		if d.value < 0 {
			errs = append(errs, fmt.Errorf("peer: %s is %v; it must not be below 0s", d.key, d.value))
		}
	}
	if c.SocketKeepAlivePeriod > maxKeepAlive {
		errs = append(errs, fmt.Errorf("peer: socket_keep_alive_period is %v; systems take at most %v", c.SocketKeepAlivePeriod, maxKeepAlive))
	}
	return errs
}

// protocol returns the protocol called name; errors mention key.
func (c *Config) protocol(key, name string) (proto.Func, error) {
	if f := c.Protocols[name]; f != nil {
		return f, nil
	}
	if name == "raw" {
		return rawproto.New, nil
	}
	known := []string{"raw"}
	for n := range c.Protocols {
		known = append(known, n)
	}
	slices.Sort(known)
	return nil, fmt.Errorf("peer: %s %q is unknown; this peer knows %s, and what Config.Protocols adds", key, name, strings.Join(slices.Compact(known), ", "))
}

// resolveProtocols resolves the names of the protocols of the peer, which it
// stores in c, and of its listeners, which it returns; a listener that names
// none gets nil.
func (c *Config) resolveProtocols() (listeners []proto.Func, err error) {
	if c.Protocol != "" {
		c.ProtoFunc, err = c.protocol("protocol", c.Protocol)
		if err != nil {
			return nil, err
		}
	}
	for i, l := range c.Listeners {
		var f proto.Func
		if l.Protocol != "" {
			f, err = c.protocol(fmt.Sprintf("listeners[%d].protocol", i), l.Protocol)
			if err != nil {
				return nil, err
			}
		}
		listeners = append(listeners, f)
	}
	return listeners, nil
}

// Package defaults holds the process-wide settings of erpc v7's API: peers that
// are made afterwards take them where their own configuration is empty. Peers copy
// them once, so a later change does not affect existing peers.
package defaults

import (
	"fmt"
	"sync"
	"time"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/router"
	"github.com/goerpc/erpc/socket"
)

// A Set holds the settings. The zero value has those of the framework. All methods
// may be called concurrently.
type Set struct {
	mu              sync.Mutex // guards the following
	proto           proto.Func
	body            codec.Codec
	mapper          router.ServiceMethodMapper
	readLimit       int
	keepAlive       *bool
	noDelay         *bool
	keepAlivePeriod time.Duration
	readBuffer      int
	writeBuffer     int
	maxHandlers     int
}

func change[T any](s *Set, field *T, v T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*field = v
}

func get[T any](s *Set, field *T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *field
}

// Proto returns the protocol of peers without one.
func (s *Set) Proto() proto.Func {
	if f := get(s, &s.proto); f != nil {
		return f
	}
	return rawproto.New
}

// SetProto sets the protocol.
func (s *Set) SetProto(f proto.Func) { change(s, &s.proto, f) }

// Body returns the codec of bodies without one.
func (s *Set) Body() codec.Codec {
	if c := get(s, &s.body); c != nil {
		return c
	}
	return codec.JSONCodec{}
}

// SetBody sets the codec by its ID.
func (s *Set) SetBody(id byte) error {
	c, err := codec.Get(id)
	if err != nil {
		return fmt.Errorf("defaults: body codec: %w", err)
	}
	change(s, &s.body, c)
	return nil
}

// SetMapper sets the mapper that makes service methods from names.
func (s *Set) SetMapper(m router.ServiceMethodMapper) { change(s, &s.mapper, m) }

// ReadLimit returns the size of the largest message that is read, in bytes.
func (s *Set) ReadLimit() int {
	if n := get(s, &s.readLimit); n > 0 {
		return n
	}
	return socket.DefaultReadLimit
}

// SetReadLimit sets that limit; 0 means the framework's.
func (s *Set) SetReadLimit(n int) { change(s, &s.readLimit, n) }

// SetKeepAlive switches TCP keepalive.
func (s *Set) SetKeepAlive(on bool) { change(s, &s.keepAlive, &on) }

// SetNoDelay switches TCP's no-delay.
func (s *Set) SetNoDelay(on bool) { change(s, &s.noDelay, &on) }

// SetKeepAlivePeriod sets the period of TCP keepalive.
func (s *Set) SetKeepAlivePeriod(d time.Duration) { change(s, &s.keepAlivePeriod, d) }

// SetReadBuffer sets the kernel's receive buffer, in bytes.
func (s *Set) SetReadBuffer(n int) { change(s, &s.readBuffer, n) }

// SetWriteBuffer sets the kernel's send buffer, in bytes.
func (s *Set) SetWriteBuffer(n int) { change(s, &s.writeBuffer, n) }

// SetMaxHandlers sets how many handlers of a peer may run at the same time.
func (s *Set) SetMaxHandlers(n int) { change(s, &s.maxHandlers, n) }

// Fill fills in the empty fields of cfg.
func (s *Set) Fill(cfg *peer.Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cfg.ProtoFunc == nil {
		cfg.ProtoFunc = s.proto
	}
	if cfg.DefaultBodyCodec == "" && s.body != nil {
		cfg.DefaultBodyCodec = s.body.Name()
	}
	if cfg.Mapper == nil {
		cfg.Mapper = s.mapper
	}
	fill(&cfg.ReadLimit, s.readLimit)
	fill(&cfg.MaxHandlers, s.maxHandlers)
	// A default applies only to networks that have the option.
	for option, filled := range map[socket.Tunables]bool{
		socket.TuneNoDelay:         fill(&cfg.SocketNoDelay, s.noDelay),
		socket.TuneKeepAlive:       fill(&cfg.SocketKeepAlive, s.keepAlive),
		socket.TuneKeepAlivePeriod: fill(&cfg.SocketKeepAlivePeriod, s.keepAlivePeriod),
		socket.TuneReadBuffer:      fill(&cfg.SocketReadBuffer, s.readBuffer),
		socket.TuneWriteBuffer:     fill(&cfg.SocketWriteBuffer, s.writeBuffer),
	} {
		if filled {
			cfg.SocketWishes |= option
		}
	}
}

// fill reports whether it has changed v.
func fill[T comparable](v *T, def T) bool {
	var zero T
	if *v != zero {
		return false
	}
	*v = def
	return def != zero
}

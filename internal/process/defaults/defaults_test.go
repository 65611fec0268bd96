package defaults

import (
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/proto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/socket"
)

func version(f proto.Func) byte {
	id, _ := f().Version()
	return id
}

type other struct{ proto.Proto }

func (other) Version() (byte, string) { return 99, "other" }

func otherProto() proto.Proto { return other{} }

func mapper(prefix, name string) string { return prefix + ":" + name }

func TestZeroSetIsTheFrameworks(t *testing.T) {
	var s Set
	if version(s.Proto()) != version(rawproto.New) || s.Body().ID() != codec.ID_JSON || s.ReadLimit() != socket.DefaultReadLimit {
		t.Errorf("protocol %d, body codec %d, read limit %d", version(s.Proto()), s.Body().ID(), s.ReadLimit())
	}
	var cfg peer.Config
	s.Fill(&cfg)
	if !reflect.ValueOf(cfg).IsZero() {
		t.Errorf("a zero set filled in %+v", cfg)
	}
}

func set(t *testing.T) *Set {
	t.Helper()
	s := new(Set)
	s.SetProto(otherProto)
	if err := s.SetBody(codec.ID_XML); err != nil {
		t.Fatal(err)
	}
	s.SetMapper(mapper)
	s.SetReadLimit(1)
	s.SetKeepAlive(false)
	s.SetNoDelay(false)
	s.SetKeepAlivePeriod(2 * time.Second)
	s.SetReadBuffer(3)
	s.SetWriteBuffer(4)
	s.SetMaxHandlers(5)
	return s
}

func TestFillWhatIsOpen(t *testing.T) {
	s := set(t)
	var cfg peer.Config
	s.Fill(&cfg)
	if version(cfg.ProtoFunc) != 99 || cfg.DefaultBodyCodec != "xml" || cfg.Mapper("a", "b") != "a:b" || cfg.ReadLimit != 1 ||
		*cfg.SocketKeepAlive || *cfg.SocketNoDelay || cfg.SocketKeepAlivePeriod != 2*time.Second ||
		cfg.SocketReadBuffer != 3 || cfg.SocketWriteBuffer != 4 || cfg.MaxHandlers != 5 {
		t.Errorf("filled in %+v", cfg)
	}
	if cfg.SocketWishes != socket.TuneAll {
		t.Errorf("the defaults of sockets apply to every network, except %v", socket.TuneAll&^cfg.SocketWishes)
	}
	if version(s.Proto()) != 99 || s.Body().Name() != "xml" || s.ReadLimit() != 1 {
		t.Error("the set does not return what was set")
	}
	// A later change applies only to peers made later.
	s.SetNoDelay(true)
	if *cfg.SocketNoDelay {
		t.Error("a change reached a configuration that was filled before")
	}
	s.SetReadLimit(0)
	if s.ReadLimit() != socket.DefaultReadLimit {
		t.Errorf("read limit %d", s.ReadLimit())
	}
}

func TestFillLeavesWhatIsSaid(t *testing.T) {
	on := true
	said := func() peer.Config {
		return peer.Config{
			ProtoFunc: rawproto.New, DefaultBodyCodec: "json", Mapper: func(_, name string) string { return name },
			ReadLimit: 10, SocketKeepAlive: &on, SocketNoDelay: &on, SocketKeepAlivePeriod: time.Minute,
			SocketReadBuffer: 30, SocketWriteBuffer: 40, MaxHandlers: 50,
		}
	}
	cfg := said()
	set(t).Fill(&cfg)
	if version(cfg.ProtoFunc) == 99 || cfg.Mapper("a", "b") != "b" {
		t.Error("the protocol or the mapper was replaced")
	}
	want := said()
	cfg.ProtoFunc, want.ProtoFunc, cfg.Mapper, want.Mapper = nil, nil, nil, nil // can't be compared
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("%+v, want it as it was: %+v", cfg, want)
	}
}

func TestUnknownBodyCodec(t *testing.T) {
	var s Set
	if err := s.SetBody(250); err == nil {
		t.Error("accepted a codec that is not registered")
	}
	if s.Body().ID() != codec.ID_JSON {
		t.Errorf("the body codec is %d", s.Body().ID())
	}
}

func TestConcurrentUse(t *testing.T) {
	var s Set
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 100 {
				s.SetReadLimit(i + 1)
				s.SetProto(otherProto)
				s.SetKeepAlive(i%2 == 0)
				var cfg peer.Config
				s.Fill(&cfg)
				if cfg.ReadLimit < 1 || cfg.ReadLimit > 4 || cfg.SocketKeepAlive == nil {
					t.Errorf("filled in %+v", cfg)
				}
			}
		})
	}
	wg.Wait()
}

//go:build linux

package attack

import (
	"context"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/apache/thrift/lib/go/thrift"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec/thriftcodec"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/plugin/proxy"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/socket/mux"
	"github.com/goerpc/erpc/xfer/gzip"
	"github.com/goerpc/erpc/xfer/s2"
	"github.com/goerpc/erpc/xfer/zstd"
)

// The filters that doors with filters register.
const (
	gzipID = 'z'
	zstdID = 'Z'
	s2ID   = '2'
)

func registerFilters() {
	gzip.Reg(gzipID, "attack-gzip", 9)
	zstd.Reg(zstdID, "attack-zstd", 3)
	s2.Reg(s2ID, "attack-s2", 3)
}

// targetKey names, in the environment of a child process, the address that the
// victim dials.
const targetKey = "ERPC_ATTACK_TARGET"

// doors are the servers that strangers reach. Each is configured as a user would
// do it: by default, or with the option in its name.
var doors = map[string]func(*victim) (addr string, err error){
	"raw":  over(nil),
	"json": over(jsonproto.New),
	"pb":   over(pbproto.New),
	"http": over(httproto.NewHTTProtoFunc()),
	"raw, filters": func(v *victim) (string, error) {
		registerFilters()
		return v.listen(erpc.PeerConfig{})
	},
	"thrift": func(v *victim) (string, error) {
		return v.listen(erpc.PeerConfig{ProtoFunc: thriftproto.NewStockProtoFunc(thriftproto.StockConfig{Mapper: erpc.HTTPServiceMethodMapper})})
	},
	"small limits": func(v *victim) (string, error) {
		return v.listen(smallLimits())
	},
	"http, small limits": func(v *victim) (string, error) {
		cfg := smallLimits()
		cfg.ProtoFunc = httproto.NewHTTProtoFunc()
		return v.listen(cfg)
	},
	"thrift, small limits": func(v *victim) (string, error) {
		cfg := smallLimits()
		cfg.ProtoFunc = thriftproto.NewStockProtoFunc(thriftproto.StockConfig{Mapper: erpc.HTTPServiceMethodMapper})
		return v.listen(cfg)
	},
	"http, 3 handlers": func(v *victim) (string, error) {
		return v.listen(erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc(), MaxHandlers: 3})
	},
	"raw, 3 handlers of a session": func(v *victim) (string, error) {
		return v.listen(erpc.PeerConfig{MaxSessionHandlers: 3})
	},
	"thrift, 3 handlers of a session": func(v *victim) (string, error) {
		return v.listen(erpc.PeerConfig{
			ProtoFunc:          thriftproto.NewStockProtoFunc(thriftproto.StockConfig{Mapper: erpc.HTTPServiceMethodMapper}),
			MaxSessionHandlers: 3,
		})
	},
	"http, limit.Handlers(3)": func(v *victim) (string, error) {
		return v.listen(erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc()}, limit.Handlers(3))
	},
	"http, idle 1 s": func(v *victim) (string, error) {
		return v.listen(erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc(), IdleTimeout: time.Second})
	},
	"http, loopback hosts": func(v *victim) (string, error) {
		return v.listen(erpc.PeerConfig{ProtoFunc: httproto.New(httproto.Config{Hosts: []string{"127.0.0.1", "localhost"}})})
	},
	"HMAC": func(v *victim) (string, error) {
		registerFilters()
		key := func(auth.Session, string) ([]byte, bool) { return make([]byte, 32), true }
		return v.listen(erpc.PeerConfig{}, auth.NewHMACChecker(auth.HMACCheckerConfig{Key: key}))
	},
	"token": func(v *victim) (string, error) {
		registerFilters()
		return v.listen(erpc.PeerConfig{}, auth.NewCheckerPlugin(auth.CheckToken(func(string) bool { return false })))
	},
	"client": dials,
	"kcp": func(v *victim) (string, error) {
		return v.listen(erpc.PeerConfig{Network: "kcp"})
	},
	"websocket, 10 sessions": func(v *victim) (string, error) {
		return v.listen(erpc.PeerConfig{Network: "ws", MaxSessions: 10})
	},
	"websocket, read limit 64 KiB": func(v *victim) (string, error) {
		return v.listen(erpc.PeerConfig{Network: "ws", ReadLimit: 64 << 10})
	},
	"websocket, idle 1 s": func(v *victim) (string, error) {
		return v.listen(erpc.PeerConfig{Network: "ws", IdleTimeout: time.Second})
	},
	"tls": func(v *victim) (string, error) {
		return v.listenTLS(erpc.PeerConfig{})
	},
	"https": func(v *victim) (string, error) {
		return v.listenTLS(erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc()})
	},
	"wss": func(v *victim) (string, error) {
		return v.listenTLS(erpc.PeerConfig{Network: "wss"})
	},
	"quic": func(v *victim) (string, error) {
		return v.listenTLS(erpc.PeerConfig{Network: "quic"})
	},
	"tls, 100 ms": func(v *victim) (string, error) {
		return v.listenTLS(erpc.PeerConfig{HandshakeTimeout: soon})
	},
	"login, 100 ms":   impatientLogin,
	"writing, 100 ms": impatientWriter,
	"asking, 100 ms":  asking,
	"heartbeat":       beating,
	"guarded routes":  guarded,
	"few descriptors": crowded,
	"mux":             behindMux,
	"broadcast":       broadcasts,
	"route":           guardedRoute,
	"proxies":         proxyLoop,
}

// refused is the address of a door that can't be opened because it would not
// protect anything.
const refused = "refused"

// over opens a door with the default configuration and a protocol.
func over(pf erpc.ProtoFunc) func(*victim) (string, error) {
	return func(v *victim) (string, error) { return v.listen(erpc.PeerConfig{ProtoFunc: pf}) }
}

// smallLimits is the configuration of a peer whose connections cost little.
func smallLimits() erpc.PeerConfig {
	return erpc.PeerConfig{ReadLimit: 1 << 20, InflightLimit: 2 << 20, QueueLimit: 256 << 10}
}

// dials calls a hostile server repeatedly.
func dials(v *victim) (string, error) {
	registerFilters()
	v.peer = v.newPeer(erpc.PeerConfig{RedialTimes: -1})
	go func() {
		for {
			sess, st := v.peer.Dial(os.Getenv(targetKey))
			if st.OK() {
				var doc document
				_ = sess.Call("/anything", 1, &doc, erpc.WithTimeout(5*time.Second)).Status() // the result does not matter
				_ = sess.Close()
			}
			v.executed.Add(1)
			time.Sleep(10 * time.Millisecond)
		}
	}()
	return "none", nil
}

// behindMux serves raw and HTTP on one port.
func behindMux(v *victim) (string, error) {
	v.peer = v.newPeer(erpc.PeerConfig{})
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	m := mux.New(lis, mux.Config{
		TLS:    erpc.GenerateTLSConfigForServer(),
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	raw, web := m.Match(mux.Raw), m.Match(mux.HTTP)
	go func() { fail(v.peer.Serve(raw, rawproto.New)) }()
	go func() { fail(v.peer.Serve(web, httproto.NewHTTProtoFunc())) }()
	go func() { fail(m.Serve()) }()
	return lis.Addr().String(), nil
}

// broadcasts pushes 16 KiB to every session as often as possible, at most every 2
// ms.
func broadcasts(v *victim) (string, error) {
	addr, err := v.listen(erpc.PeerConfig{})
	go func() {
		for body := make([]byte, 16<<10); ; time.Sleep(2 * time.Millisecond) {
			v.peer.Broadcast("/news", body)
			v.executed.Add(1)
		}
	}()
	return addr, err
}

// guardedRoute gives a login plugin to a route, which can't work: the route is not
// known when a client connects.
func guardedRoute(v *victim) (addr string, err error) {
	defer func() {
		if recover() != nil { // registering the plugin there panics
			addr, err = refused, nil
		}
	}()
	v.peer = v.newPeer(erpc.PeerConfig{ListenAddress: "127.0.0.1:0"})
	admin := v.peer.SubRoute("/admin", auth.NewCheckerPlugin(auth.CheckToken(func(string) bool { return false })))
	erpc.HandleCall(admin, "/drop", func(context.Context, *[]byte) (*[]byte, error) { v.executed.Add(1); return nil, nil })
	lis, err := v.peer.Listen()
	if err != nil {
		return "", err
	}
	v.serve(lis)
	return lis.Addr().String(), nil
}

// proxyLoop serves two proxies that forward unknown methods to each other.
func proxyLoop(v *victim) (string, error) {
	var to [2]erpc.Session
	forward := func(i int) erpc.Plugin {
		return proxy.NewPlugin(func(*proxy.Label) proxy.Forwarder {
			v.executed.Add(1)
			return to[i]
		})
	}
	other := &victim{never: v.never}
	far, err := other.listen(erpc.PeerConfig{}, forward(0))
	if err != nil {
		return "", err
	}
	addr, err := v.listen(erpc.PeerConfig{}, forward(1))
	if err != nil {
		return "", err
	}
	for i, a := range []string{addr, far} {
		sess, st := erpc.NewPeer(erpc.PeerConfig{}).Dial(a)
		if !st.OK() {
			return "", st.Err()
		}
		to[i] = sess
	}
	return addr, nil
}

// rows is a Thrift struct with a list of structs.
type rows struct{ List []*thriftcodec.ThriftEmpty }

func (r *rows) Read(ctx context.Context, p thrift.TProtocol) error {
	if _, err := p.ReadStructBegin(ctx); err != nil {
		return err
	}
	for {
		_, kind, _, err := p.ReadFieldBegin(ctx)
		if err != nil || kind == thrift.STOP {
			return err
		}
		if kind != thrift.LIST {
			if err := p.Skip(ctx, kind); err != nil {
				return err
			}
			continue
		}
		_, n, err := p.ReadListBegin(ctx)
		if err != nil {
			return err
		}
		for range n {
			e := new(thriftcodec.ThriftEmpty)
			if err := e.Read(ctx, p); err != nil {
				return err
			}
			r.List = append(r.List, e)
		}
	}
}

func (r *rows) Write(ctx context.Context, p thrift.TProtocol) error {
	return p.WriteFieldStop(ctx)
}

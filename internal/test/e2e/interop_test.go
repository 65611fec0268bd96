package e2e

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/kcp"
	"github.com/goerpc/erpc/socket/websocket"
)

// A v7Wire is a combination of transport and protocol shared with erpc v7.
type v7Wire struct {
	flags string          // of v7peer
	cfg   erpc.PeerConfig // Network, ProtoFunc, Transports
	tls   bool
	// lacks is what v7 can't do over it, adds what it can do beyond the usual.
	lacks, adds wiretest.Feature
	// serve and dial are for wires on which a peer does not listen or dial itself;
	// nil means Listen and Dial.
	serve func(t *testing.T, p *wiretest.Peer) (addr string)
	dial  func(t *testing.T, p *wiretest.Peer, addr string) erpc.Session
}

func v7Wires() []v7Wire {
	raw := erpc.PeerConfig{ProtoFunc: rawproto.NewRawProtoFunc()}
	rawUnix := raw
	rawUnix.Network = "unix"
	// A listener of KCP accepts both kinds of peer; V7 is for the dialing side.
	rawKCP := raw
	rawKCP.Network, rawKCP.Transports = "kcp", []socket.Transport{kcp.Transport{Config: kcp.Config{V7: true}}}
	json := erpc.PeerConfig{ProtoFunc: jsonproto.NewJSONProtoFunc()}
	pb := erpc.PeerConfig{ProtoFunc: pbproto.NewPbProtoFunc()}
	http := erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc()}
	ws := func(pf erpc.ProtoFunc) erpc.PeerConfig {
		t := websocket.Transport{Config: websocket.Config{Path: "/ws", Messages: true}}
		return erpc.PeerConfig{Network: "ws", ProtoFunc: pf, Transports: []socket.Transport{t}}
	}
	thriftBinary := erpc.PeerConfig{ProtoFunc: thriftproto.NewBinaryProtoFunc()}
	thriftStruct := erpc.PeerConfig{ProtoFunc: thriftproto.NewStructProtoFunc(), DefaultBodyCodec: "thrift"}
	return []v7Wire{
		{flags: "-proto raw", cfg: raw},
		{flags: "-proto raw -tls", cfg: raw, tls: true},
		{flags: "-proto raw -network unix", cfg: rawUnix},
		{flags: "-proto raw -network kcp", cfg: rawKCP},
		{flags: "-proto raw -network kcp -tls", cfg: rawKCP, tls: true},
		// v7 escapes only quotes in a body, see proto/jsonproto.
		{flags: "-proto json", cfg: json, lacks: wiretest.Backslash | wiretest.AnyByte | wiretest.ThriftCodec},
		{flags: "-proto pb", cfg: pb},
		// v7's http has no PUSH, no filter but gzip, and headers for metadata.
		{flags: "-proto http", cfg: http, lacks: wiretest.Pushes | wiretest.MD5 | wiretest.ThriftCodec | wiretest.CodecByte | wiretest.MetaExact},
		// v7's sub-protocols of WebSocket carry no status; that of JSON escapes
		// as its json does.
		{flags: "-network websocket-json", cfg: ws(jsonproto.NewSubProtoFunc()), lacks: wiretest.Status | wiretest.Backslash | wiretest.AnyByte | wiretest.ThriftCodec | wiretest.Gzip | wiretest.MD5},
		{flags: "-network websocket-pb", cfg: ws(pbproto.NewSubProtoFunc()), lacks: wiretest.Status},
		// v7's reader and its writers share a scratch buffer there, so that v7
		// garbles what it writes while it reads.
		{flags: "-proto thrift-binary -skip math/concurrent", cfg: thriftBinary, lacks: wiretest.Concurrent, adds: wiretest.Thrift},
		// It has no codec but thrift, and v7's own server loses the status.
		{flags: "-proto thrift-struct", cfg: thriftStruct, lacks: wiretest.Usual &^ wiretest.Pushes, adds: wiretest.Thrift},
	}
}

// TestInterop lets real programs of erpc v7 and ours call each other over each
// wire: v7's client calls our server, and our client v7's server. Both make the
// same calls.
func TestInterop(t *testing.T) {
	v7peer := wiretest.BuildV7(t)
	for _, w := range v7Wires() {
		flags := strings.Fields(w.flags)
		there := (wiretest.Usual | w.adds) &^ w.lacks
		t.Run(w.flags, func(t *testing.T) {
			t.Run("v7 calls us", func(t *testing.T) {
				t.Parallel()
				p := w.server(t)
				done := wiretest.CallV7(t, v7peer, slices.Concat(flags, []string{"-nested", "-addr", p.Addr})...)
				for _, c := range wiretest.Checks(there) {
					if _, ok := done[c.Name]; !ok {
						t.Errorf("v7's client did not run %s", c.Name)
					}
				}
				if there&wiretest.Pushes != 0 && there&wiretest.AnyBody != 0 {
					p.WantPush(t, wiretest.Pushed{Method: "/note/say", Body: "hi", Meta: "from=v7peer"})
				}
				if there&wiretest.Pushes != 0 && there&wiretest.Thrift != 0 {
					p.WantPush(t, wiretest.Pushed{Method: "Note.Say", Body: "pushed"})
				}
			})
			t.Run("we call v7", func(t *testing.T) {
				t.Parallel()
				s := wiretest.ServeV7(t, v7peer, flags...)
				p, sess := w.client(t, s.Addr)
				c := &wiretest.CheckClient{Peer: p, Session: sess, Server: s, Features: there}
				for _, check := range wiretest.Checks(there) {
					if err := check.Run(c); err != nil {
						t.Errorf("%s: %v", check.Name, err)
					}
				}
			})
		})
	}
}

// TestShutdownOfAServerWithBusyV7Clients: erpc v7 can't be told of a shutdown, so
// each of its callers may lose one call when the connection ends, but not more.
func TestShutdownOfAServerWithBusyV7Clients(t *testing.T) {
	v7peer := wiretest.BuildV7(t)
	const callers = 8
	for _, w := range v7Wires() {
		if strings.Contains(w.flags, "kcp") || strings.Contains(w.flags, "thrift") || w.lacks&wiretest.Status != 0 {
			continue // v7 does not notice the end; garbles concurrent calls; has no status
		}
		t.Run(w.flags, func(t *testing.T) {
			t.Parallel()
			p := w.server(t)
			done := make(chan map[string]wiretest.V7Check, 1)
			go func() {
				done <- wiretest.CallV7(t, v7peer, append(strings.Fields(w.flags), "-addr", p.Addr, "-busy", strconv.Itoa(callers))...)
			}()
			kit.Eventually(t, wiretest.Limit, "a busy client", func() bool { return p.Stats().MessagesIn > 500 })
			var err error
			took := kit.Within(t, kit.Bound, "Shutdown", func() { err = p.Shutdown(t.Context()) })
			if err != nil {
				t.Error(err)
			}
			var counts struct {
				OK     int
				Failed map[string]int
			}
			if err := json.Unmarshal(kit.Await(t, "the client", done)["busy"].Got, &counts); err != nil {
				t.Fatal(err)
			}
			lost := 0
			for code, n := range counts.Failed {
				if code != "102" && code != "104" { // the connection ended: while it waited, or while it wrote
					t.Errorf("%d calls ended with %s", n, code)
				}
				lost += n
			}
			t.Logf("%d of %d calls lost; Shutdown took %v", lost, counts.OK+lost, took)
			if counts.OK < 500 || lost > callers {
				t.Errorf("%d calls succeeded, %d failed; want %d failed at most, one for each caller", counts.OK, lost, callers)
			}
			if took > kit.Slack*500*time.Millisecond {
				t.Errorf("Shutdown took %v", took)
			}
		})
	}
}

func (w v7Wire) server(t *testing.T) *wiretest.Peer {
	if w.cfg.Network == "kcp" { // a closed connection waits 2 s for a v7 peer, which does not say that it has gone
		t.Cleanup(func() { <-time.After(2500 * time.Millisecond) })
	}
	t.Helper()
	p := wiretest.NewServer(t, w.cfg)
	if w.tls {
		p.SetTLSConfig(erpc.GenerateTLSConfigForServer())
	}
	if w.serve != nil {
		p.Addr = w.serve(t, p)
	} else {
		p.Listen(t)
	}
	return p
}

func (w v7Wire) client(t *testing.T, addr string) (*wiretest.Peer, erpc.Session) {
	t.Helper()
	p := wiretest.NewClient(t, w.cfg)
	if w.tls {
		p.SetTLSConfig(erpc.GenerateTLSConfigForClient())
	}
	if w.dial != nil {
		return p, w.dial(t, p, addr)
	}
	return p, p.MustDial(t, addr)
}

package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/andeya/erpc/v7"
	"github.com/andeya/erpc/v7/mixer/websocket/jsonSubProto"
	"github.com/andeya/erpc/v7/mixer/websocket/pbSubProto"
	"github.com/andeya/erpc/v7/proto/httproto"
	"github.com/andeya/erpc/v7/proto/jsonproto"
	"github.com/andeya/erpc/v7/proto/pbproto"
	"github.com/andeya/erpc/v7/proto/rawproto"
	"github.com/andeya/erpc/v7/proto/thriftproto"
	"github.com/andeya/erpc/v7/xfer/gzip"
	"github.com/andeya/erpc/v7/xfer/md5"

	_ "github.com/goerpc/erpc/interop/internal/pbconflict"
)

// options are the flags; some have a meaning for one of the two commands only.
type options struct {
	proto, network, addr, wsPath string
	tls                          bool
	auth, heartbeat, secure      string
	proxy                        string
	nested                       bool
	busy                         int
	only, skip                   map[string]bool
	timeout                      time.Duration
	log                          string
}

var heartbeatModes = map[string]bool{"": true, "pong": true, "call": true, "push": true}

func parseOptions(role string, args []string) (*options, error) {
	o := &options{}
	var only, skip string
	fs := flag.NewFlagSet("v7peer "+role, flag.ContinueOnError)
	fs.StringVar(&o.proto, "proto", "raw", "raw, json, pb, thrift-binary, thrift-struct or http; websocket has its own")
	fs.StringVar(&o.network, "network", "tcp", "tcp, unix, kcp, quic, websocket-json or websocket-pb")
	fs.StringVar(&o.addr, "addr", "", "host:port, or for unix path:port (v7 wants the colon); serve: empty takes any free one")
	fs.StringVar(&o.wsPath, "ws-path", "/ws", "path of the websocket endpoint")
	fs.BoolVar(&o.tls, "tls", false, "TLS with v7's throwaway certificate; the client verifies nothing")
	fs.StringVar(&o.auth, "auth", "", "token: serve demands it, call shows it")
	fs.StringVar(&o.heartbeat, "heartbeat", "", "pong answers pings; call and push send one every 3 s; call waits for the first")
	fs.StringVar(&o.secure, "secure", "", "AES key of 16, 24 or 32 bytes for the secure plugin")
	fs.StringVar(&o.proxy, "proxy", "", "serve: forward everything to this address; call: any text leaves out what v7's proxy breaks")
	fs.BoolVar(&o.nested, "nested", false, "call: also call /math/nested, which calls /client/add back on the same session")
	fs.IntVar(&o.busy, "busy", 0, "call: in place of the checks, so many callers call until the session has ended")
	fs.StringVar(&only, "only", "", "call: run just these checks, comma-separated, also such as v7's server can't answer")
	fs.StringVar(&skip, "skip", "", "call: leave out these checks, comma-separated")
	fs.DurationVar(&o.timeout, "timeout", 20*time.Second, "call: limit of the whole run")
	fs.StringVar(&o.log, "log", "OFF", "v7's log level on stderr: OFF, ERROR, WARNING, INFO, DEBUG, TRACE")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	o.only, o.skip = nameSet(only), nameSet(skip)
	return o, o.check(role)
}

func nameSet(list string) map[string]bool {
	set := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		if name != "" {
			set[name] = true
		}
	}
	return set
}

// check refuses what v7 would exit on, or would silently do wrong.
func (o *options) check(role string) error {
	if _, err := o.protoFunc(); err != nil {
		return err
	}
	if !heartbeatModes[o.heartbeat] {
		return fmt.Errorf("-heartbeat %q: say pong, call or push", o.heartbeat)
	}
	if n := len(o.secure); n != 0 && n != 16 && n != 24 && n != 32 {
		return errors.New("-secure: the key has to be 16, 24 or 32 bytes long")
	}
	if role == "call" && o.addr == "" {
		return errors.New("call needs -addr")
	}
	if o.network == "unix" && o.addr != "" && !strings.Contains(o.addr, ":") {
		return fmt.Errorf("-addr %q: v7 wants path:port for a unix socket, and the file has that whole name", o.addr)
	}
	switch o.proto {
	case "http":
		// v7's http has no message types but CALL and REPLY: it reads an
		// AUTH_CALL as a CALL, and cannot write a PUSH.
		if o.auth != "" || o.heartbeat == "push" {
			return errors.New("v7 has no auth and no pushed heartbeat over http")
		}
	case "thrift-binary", "thrift-struct":
		// v7 maps CALL, REPLY and PUSH to thrift's message types, not AUTH_*.
		if o.auth != "" {
			return errors.New("v7 has no auth over thrift")
		}
		// The struct form takes thrift structs only; neither an empty
		// heartbeat nor the secure plugin's envelope is one.
		// Nor are the bytes that its proxy forwards.
		if o.proto == "thrift-struct" && (o.heartbeat != "" || o.secure != "" || o.proxy != "") {
			return errors.New("v7 has no heartbeat, secure and proxy plugin over thrift-struct")
		}
	}
	return nil
}

func (o *options) websocket() bool { return strings.HasPrefix(o.network, "websocket-") }

// wire names what is spoken: the protocol, or for websocket the sub-protocol.
func (o *options) wire() string {
	if o.websocket() {
		return o.network
	}
	return o.proto
}

func (o *options) protoFunc() (erpc.ProtoFunc, error) {
	switch o.network {
	case "websocket-json":
		return jsonSubProto.NewJSONSubProtoFunc(), nil
	case "websocket-pb":
		return pbSubProto.NewPbSubProtoFunc(), nil
	case "tcp", "unix", "kcp", "quic":
	default:
		return nil, fmt.Errorf("unknown -network %q", o.network)
	}
	switch o.proto {
	case "raw":
		return rawproto.NewRawProtoFunc(), nil
	case "json":
		return jsonproto.NewJSONProtoFunc(), nil
	case "pb":
		return pbproto.NewPbProtoFunc(), nil
	case "thrift-binary":
		return thriftproto.NewBinaryProtoFunc(), nil
	case "thrift-struct":
		return thriftproto.NewStructProtoFunc(), nil
	case "http":
		return httproto.NewHTTProtoFunc(), nil
	}
	return nil, fmt.Errorf("unknown -proto %q", o.proto)
}

// peerConfig is what both commands share. v7 serves and dials "tcp" under a
// websocket. A thrift program of v7 has thrift as its default codec.
func (o *options) peerConfig() erpc.PeerConfig {
	cfg := erpc.PeerConfig{Network: o.network, DialTimeout: 5 * time.Second, DefaultBodyCodec: "json"}
	if o.websocket() {
		cfg.Network = "tcp"
	}
	if strings.HasPrefix(o.wire(), "thrift-") {
		cfg.DefaultBodyCodec = "thrift"
	}
	return cfg
}

// clientTLS offers the protocols that v7's own configuration from files offers:
// QUIC in Go 1.21 and later refuses a client that offers none.
func clientTLS() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1", "h2"}}
}

// prepareV7 sets v7's process-wide state: the filters of the service, the log
// level, and what importing thriftproto changed.
func prepareV7(o *options) {
	erpc.SetLoggerOutputter(stderrLog{})
	erpc.SetLoggerLevel(o.log)
	gzip.Reg('g', "gizp-5", 5)
	md5.Reg('m', "md5")
	// thriftproto's init makes method names like "Math.Add" and the thrift
	// codec the defaults of the whole process. The service has v7's usual
	// names over every protocol, so take that back.
	erpc.SetServiceMethodMapper(erpc.HTTPServiceMethodMapper)
	if err := erpc.SetDefaultBodyCodec('j'); err != nil {
		erpc.Fatalf("%v", err)
	}
}

// stderrLog keeps v7's log out of stdout, where v7 writes its errors.
type stderrLog struct{}

func (stderrLog) Output(_ int, line []byte, level erpc.LoggerLevel) {
	fmt.Fprintf(os.Stderr, "v7 %s: %s\n", level, line)
}

func (stderrLog) Flush() error { return nil }

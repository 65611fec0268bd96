package proxy_test

import (
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/plugin/proxy"
	"github.com/goerpc/erpc/proto/httproto"
)

// webServer is a plain HTTP server that records what it was asked.
func webServer(t *testing.T) (addr string, got <-chan *http.Request) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	requests := make(chan *http.Request, 10)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(lis) // says that it was closed
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-served
	})
	return lis.Addr().String(), requests
}

// The proxy alone tells a backend whom a message comes from and which virtual host
// it is for, whatever a client writes in its headers.
func TestClientsChooseNeitherAddressNorHostOfAnHTTPBackend(t *testing.T) {
	addr, got := webServer(t)
	back := wiretest.NewClient(t, erpc.PeerConfig{DefaultBodyCodec: "json"})
	sess, st := back.Dial(addr, httproto.NewHTTProtoFunc())
	if !st.OK() {
		t.Fatal(st)
	}
	front := start(t, proxy.NewPlugin(to(sess)))
	cli := dial(t, front.Addr)
	for _, name := range []string{"X-Real-IP", "x-real-ip", "X-REAL-IP", "Host", "host", "HOST", "X-Forwarded-For", "x-forwarded-host", "Forwarded"} {
		st := cli.Call("/who", nil, nil, erpc.WithAddMeta(name, "evil.example"), erpc.WithAddMeta("K", "v")).Status()
		if !st.OK() {
			t.Fatalf("%s: %v", name, st)
		}
		r := await(t, "the request", got)
		if r.Host != addr {
			t.Errorf("%s: Host is %q, want %q", name, r.Host, addr)
		}
		ips := r.Header.Values("X-Real-Ip")
		if len(ips) != 1 || !strings.Contains(cli.LocalAddr().String(), ips[0]) {
			t.Errorf("%s: X-Real-IP is %q, want that of %v", name, ips, cli.LocalAddr())
		}
		for _, forwarded := range []string{"X-Forwarded-For", "X-Forwarded-Host", "Forwarded"} {
			if v := r.Header.Values(forwarded); len(v) > 0 {
				t.Errorf("%s: %s is %q, want none", name, forwarded, v)
			}
		}
		if r.Header.Get("K") != "v" {
			t.Errorf("%s: other metadata was lost: %v", name, r.Header)
		}
	}
	for _, method := range []string{"http://evil.example/who", "HTTPS://evil.example/who", "//evil.example/who"} {
		if st := cli.Call(method, nil, nil).Status(); st.Code() != erpc.CodeBadMessage {
			t.Errorf("%s: %v, want code %d", method, st, erpc.CodeBadMessage)
		}
	}
	if n := len(got); n > 0 {
		t.Errorf("the backend got %d requests with absolute URLs", n)
	}
}

// Metadata that erpc uses between neighbors is not forwarded.
func TestErpcMetadataIsHopByHop(t *testing.T) {
	backend := start(t)
	metas := make(chan map[string]string, 1)
	backend.SetUnknownCall(func(ctx erpc.UnknownCallCtx) (any, *erpc.Status) {
		all := map[string]string{}
		ctx.VisitMeta(func(k, v []byte) { all[strings.ToLower(string(k))] = string(v) })
		metas <- all
		ctx.AddMeta("x-erpc-custom", "from the backend")
		ctx.AddMeta("kept", "yes")
		return nil, nil
	})
	front := start(t, proxy.NewPlugin(to(dial(t, backend.Addr))))
	cli := dial(t, front.Addr)
	cmd := cli.Call("/x", nil, nil, erpc.WithAddMeta("X-Erpc-Custom", "1"), erpc.WithAddMeta("x-erpc-refused", "1"),
		erpc.WithAddMeta("x-erpc-timeout", "86400000"), erpc.WithTimeout(5*time.Second))
	if !cmd.StatusOK() {
		t.Fatal(cmd.Status())
	}
	all := await(t, "the metadata", metas)
	for _, name := range []string{"x-erpc-custom", "x-erpc-refused"} {
		if v, ok := all[name]; ok {
			t.Errorf("the backend got %s: %s", name, v)
		}
	}
	if v := all["x-erpc-timeout"]; len(v) == 0 || len(v) > 4 || v > "5000" {
		t.Errorf("the backend has %q ms, want less than the 5000 of the client", v)
	}
	reply := cmd.InputMeta().String()
	if strings.Contains(strings.ToLower(reply), "x-erpc-custom") || !strings.Contains(reply, "kept=yes") {
		t.Errorf("metadata of the reply: %s", reply)
	}
}

// A message that goes round in a loop of proxies is dropped after MaxHops.
func TestLoopsEnd(t *testing.T) {
	for _, kind := range []string{"call", "push"} {
		t.Run(kind, func(t *testing.T) {
			const hops = 6
			var forwarded atomic.Int64
			var next [2]atomic.Pointer[proxy.Forwarder]
			var peers [2]*wiretest.Peer
			for i := range peers {
				peers[i] = start(t, proxy.NewPlugin(func(*proxy.Label) proxy.Forwarder {
					forwarded.Add(1)
					return *next[i].Load()
				}, proxy.Config{MaxHops: hops}))
			}
			for i := range peers {
				var f proxy.Forwarder = dial(t, peers[1-i].Addr)
				next[i].Store(&f)
			}
			cli := dial(t, peers[0].Addr)
			switch kind {
			case "call":
				if st := cli.Call("/nowhere", nil, nil).Status(); st.Code() != erpc.CodeBadGateway {
					t.Errorf("%v, want code %d", st, erpc.CodeBadGateway)
				}
			default:
				if st := cli.Push("/nowhere", nil); !st.OK() {
					t.Fatal(st)
				}
				for deadline := time.Now().Add(wiretest.Limit); forwarded.Load() < hops && time.Now().Before(deadline); {
					time.Sleep(time.Millisecond)
				}
				time.Sleep(20 * time.Millisecond) // an endless loop would have gone round many times by now
			}
			if n := forwarded.Load(); n != hops {
				t.Errorf("forwarded %d times, want %d", n, hops)
			}
		})
	}
}

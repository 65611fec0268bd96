package http3_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	stock "github.com/quic-go/quic-go/http3"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/mixer/http3"
)

// TestStockClient calls with quic-go's client.
func TestStockClient(t *testing.T) {
	p := erpc.NewPeer(erpc.PeerConfig{ReadLimit: 64 << 10})
	erpc.HandleCall(p, "/double", func(_ context.Context, n *int) (*int, error) { *n *= 2; return n, nil })
	erpc.HandleCall(p, "/from", func(ctx context.Context, _ *struct{}) (*string, error) {
		a := erpc.CallCtxFrom(ctx).Session().RemoteAddr().String()
		return &a, nil
	}, erpc.Safe())
	lis, err := http3.Listen(p, "127.0.0.1:0", erpc.GenerateTLSConfigForServer(), erpc.HTTPConfig{})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- lis.Serve() }()
	tr := &stock.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer tr.Close()
	c := &http.Client{Transport: tr, Timeout: 20 * time.Second}
	url := "https://" + lis.Addr().String()
	ask := func(res *http.Response, err error) string {
		if err != nil {
			t.Error(err)
			return ""
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Error(err)
		}
		return fmt.Sprintf("%s %d %s", res.Proto, res.StatusCode, b)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			got := ask(c.Post(url+"/double", "application/json", strings.NewReader(fmt.Sprint(i))))
			if want := fmt.Sprintf("HTTP/3.0 200 %d", 2*i); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	wg.Wait()
	if got := ask(c.Get(url + "/from")); !strings.HasPrefix(got, `HTTP/3.0 200 "127.0.0.1:`) {
		t.Errorf("got %q", got)
	}
	if got := ask(c.Get(url + "/double")); !strings.HasPrefix(got, "HTTP/3.0 405 ") {
		t.Errorf("GET of a handler that is not safe: %q", got)
	}
	if got := ask(c.Post(url+"/double", "application/json", strings.NewReader(strings.Repeat(" ", 65<<10)))); !strings.HasPrefix(got, "HTTP/3.0 413 ") {
		t.Errorf("a body above the limit: %q", got)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-served:
		if !errors.Is(err, erpc.ErrClosed) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it outlives its peer")
	}
}

func TestWithoutACertificate(t *testing.T) {
	p := erpc.NewPeer(erpc.PeerConfig{})
	defer p.Close()
	for _, cfg := range []*tls.Config{nil, {}} {
		if _, err := http3.Listen(p, "127.0.0.1:0", cfg, erpc.HTTPConfig{}); err == nil {
			t.Errorf("%v was taken", cfg)
		}
	}
}

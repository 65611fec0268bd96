package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/erpctest"
	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/plugin/overloader"
)

// TestMain looks for goroutines that tests left behind. Those of kcp-go, which
// the façade links, run from the start.
func TestMain(m *testing.M) { wait.Main(m) }

var quiet = slog.New(slog.DiscardHandler)

// A rig is a shop whose services listen on free ports.
type rig struct {
	t   *testing.T
	cfg Config
	url string
}

// newRig starts a shop. change, which may be nil, adjusts the configuration, and
// payments, unless it is nil, replaces the payment service.
func newRig(t *testing.T, change func(*Config), payments func(erpc.Peer), observers ...erpc.Plugin) *rig {
	t.Helper()
	r := &rig{t: t}
	c := &r.cfg
	c.SetDefaults()
	for _, p := range []*erpc.PeerConfig{&c.Gateway.Peer, &c.Orders.Peer, &c.Stock.Peer, &c.Payment.Peer} {
		p.ListenAddress = "127.0.0.1:0"
		p.RedialInterval = time.Millisecond
	}
	c.Gateway.HTTP = "127.0.0.1:0"
	c.Gateway.Peer.DefaultContextAge = time.Minute
	c.Orders.Settle = time.Hour
	c.Stock.Items = []ItemConfig{{"tea", 1000, 450}, {"teapot", 20, 3900}}
	c.Payment.MaxCents = 100_000
	if change != nil {
		change(c)
	}
	if payments != nil {
		p := erpc.NewPeer(erpc.PeerConfig{ListenAddress: "127.0.0.1:0", Logger: quiet}, observers...)
		payments(p)
		s, err := serve(p)
		if err != nil {
			t.Fatal(err)
		}
		r.ends(s)
		c.Orders.Payment = s.addr
	} else {
		c.Orders.Payment = r.start("payment", observers).addr
	}
	c.Orders.Stock = r.start("stock", observers).addr
	c.Gateway.Orders = r.start("orders", observers).addr
	r.url = "http://" + r.start("gateway", observers).addr
	return r
}

func (r *rig) start(name string, observers []erpc.Plugin) *service {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s, err := startNamed(ctx, name, &r.cfg, quiet, observers...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.ends(s)
	return s
}

// ends shuts a service down when the test ends.
func (r *rig) ends(s *service) {
	r.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := s.shutdown(ctx); err != nil {
			r.t.Error(err)
		}
		if err := <-s.done; !errors.Is(err, erpc.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
			r.t.Errorf("serving ended with %v", err)
		}
	})
}

// do sends a request and returns the status of its response, and the order in it.
func (r *rig) do(method, id, body string) (int, Order) {
	r.t.Helper()
	code, o, err := r.try(method, id, body)
	if err != nil {
		r.t.Fatal(err)
	}
	return code, o
}

// client keeps no idle connection, so none outlives a test.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}

func (r *rig) try(method, id, body string) (int, Order, error) {
	req, err := http.NewRequest(method, r.url+"/orders/"+id, strings.NewReader(body))
	if err != nil {
		return 0, Order{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, Order{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, Order{}, err
	}
	var o Order
	if res.StatusCode == http.StatusOK {
		err = json.Unmarshal(text, &o)
	}
	return res.StatusCode, o, err
}

func teapots(customer string, n int) string {
	return fmt.Sprintf(`{"customer": %q, "item": "teapot", "count": %d}`, customer, n)
}

func TestCustomersGetWhatTheyOrder(t *testing.T) {
	r := newRig(t, nil, nil)
	for _, step := range []struct {
		name, method, id, body string
		code                   int
		state, reason          string
		cents                  int64
	}{
		{"an order", "PUT", "1", teapots("ann", 2), 200, "paid", "", 7800},
		{"the same one again", "PUT", "1", teapots("ann", 2), 200, "paid", "", 7800},
		{"another one with that id", "PUT", "1", teapots("ann", 3), 409, "", "", 0},
		{"what became of it", "GET", "1", "", 200, "paid", "", 7800},
		{"what nobody has ordered", "GET", "2", "", 404, "", "", 0},
		{"too many at once", "PUT", "3", teapots("ann", 19), 200, "refused", "sold out", 0},
		{"all that are left", "PUT", "4", teapots("ben", 18), 200, "paid", "", 70200},
		{"none is left", "PUT", "5", teapots("ann", 1), 200, "refused", "sold out", 0},
		{"more than ben has money for", "PUT", "6", `{"customer": "ben", "item": "tea", "count": 100}`, 200, "refused", "the payment was declined", 45000},
		{"the tea of ben is for all others", "PUT", "7", `{"customer": "cat", "item": "tea", "count": 1}`, 200, "paid", "", 450},
		{"no item", "PUT", "8", `{"customer": "ann", "count": 1}`, 400, "", "", 0},
		{"no JSON", "PUT", "9", `{`, 400, "", "", 0},
		{"no such item", "PUT", "10", `{"customer": "ann", "item": "cup", "count": 1}`, 200, "refused", "there is no such item", 0},
		{"GET changes nothing", "GET", "11", "", 404, "", "", 0},
		{"what there is no route for", "DELETE", "1", "", 405, "", "", 0},
	} {
		code, o := r.do(step.method, step.id, step.body)
		if code != step.code || o.State != step.state || o.Reason != step.reason || o.Cents != step.cents {
			t.Errorf("%s: %d %+v", step.name, code, o)
		}
	}
}

// The payment charges the customer, and its reply is lost.
func TestNobodyPaysTwice(t *testing.T) {
	charges, bounded := make(chan string, 100), atomic.Bool{}
	late := make(chan struct{})
	books := newPayment(100_000)
	r := newRig(t, func(c *Config) { c.Gateway.Peer.DefaultContextAge = time.Second }, func(p erpc.Peer) {
		chargeCustomer.Handle(p, func(ctx context.Context, arg *Charge) (*Receipt, error) {
			res, err := books.charge(ctx, arg)
			charges <- arg.ID
			if len(charges) == 1 {
				_, known := ctx.Deadline()
				bounded.Store(known)
				<-late // until the order is paid
			}
			return res, err
		})
	})
	defer close(late)
	erpctest.Eventually(t, "the payment does not answer", func() bool {
		code, _ := r.do("PUT", "1", teapots("ann", 1))
		if code != http.StatusGatewayTimeout {
			t.Errorf("code %d", code)
		}
		return len(charges) > 0
	})
	erpctest.Eventually(t, "the order is paid", func() bool {
		code, o := r.do("PUT", "1", teapots("ann", 1))
		return code == 200 && o.State == "paid"
	})
	if !bounded.Load() {
		t.Error("the payment service did not get the customer's deadline")
	}
	if n := len(charges); n < 2 || len(books.receipts) != 1 || books.spent["ann"] != 3900 {
		t.Errorf("%d charges requested; receipts %v, spent %v", n, books.receipts, books.spent)
	}
}

func TestOnlyRefusedCallsAreRepeated(t *testing.T) {
	for name, refuse := range map[string]bool{"refused in front of the handler": true, "failed in the handler": false} {
		t.Run(name, func(t *testing.T) {
			var asked, executed atomic.Int32
			busy := erpc.NewStatus(erpc.CodeExhausted, "busy")
			gate := &erpc.PluginImpl{PluginName: "gate", OnPreReadCallBody: func(erpc.ReadCtx) *erpc.Status {
				if asked.Add(1) <= 2 && refuse {
					return erpc.Refusal(busy)
				}
				return nil
			}}
			r := newRig(t, nil, func(p erpc.Peer) {
				chargeCustomer.Handle(p, func(context.Context, *Charge) (*Receipt, error) {
					executed.Add(1)
					if !refuse {
						return nil, busy.Err()
					}
					return &Receipt{1}, nil
				}, gate)
			})
			code, o := r.do("PUT", "1", teapots("ann", 1))
			if refuse && (code != 200 || o.State != "paid" || asked.Load() != 3 || executed.Load() != 1) {
				t.Errorf("%d %+v, asked %d times, executed %d times", code, o, asked.Load(), executed.Load())
			}
			if !refuse && (code != http.StatusServiceUnavailable || executed.Load() != 1) {
				t.Errorf("%d %+v, executed %d times", code, o, executed.Load())
			}
		})
	}
}

func TestOrdersThatGotStuckAreSettled(t *testing.T) {
	var asked atomic.Int32
	r := newRig(t, func(c *Config) { c.Orders.Settle = 20 * time.Millisecond }, func(p erpc.Peer) {
		chargeCustomer.Handle(p, func(context.Context, *Charge) (*Receipt, error) {
			if asked.Add(1) == 1 {
				return nil, errors.New("the bank is closed")
			}
			return &Receipt{1}, nil
		})
	})
	if code, _ := r.do("PUT", "1", teapots("ann", 1)); code != http.StatusInternalServerError {
		t.Errorf("code %d", code)
	}
	erpctest.Eventually(t, "the order is paid though nobody asked again", func() bool {
		_, o := r.do("GET", "1", "")
		return o.State == "paid"
	})
}

func TestServicesRestart(t *testing.T) {
	r := newRig(t, nil, func(p erpc.Peer) {
		chargeCustomer.Handle(p, newPayment(100_000).charge)
	})
	// Another process replaces this payment service.
	before, err := serve(erpc.NewPeer(erpc.PeerConfig{ListenAddress: "127.0.0.1:0", Logger: quiet}))
	if err != nil {
		t.Fatal(err)
	}
	r.cfg.Orders.Payment, r.cfg.Payment.Peer.ListenAddress = before.addr, before.addr
	r.cfg.Gateway.Orders = r.start("orders", nil).addr
	r.url = "http://" + r.start("gateway", nil).addr
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := before.shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	<-before.done
	r.start("payment", nil)
	erpctest.Eventually(t, "the order is paid by the new process", func() bool {
		code, o := r.do("PUT", "1", teapots("ann", 1))
		return code == 200 && o.State == "paid"
	})
}

// Many customers want the 20 teapots at once, through services that can handle far
// fewer at a time, and each repeats the order until it gets an answer.
func TestNoTeapotIsSoldTwice(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Orders.Overload = overloader.LimitConfig{MaxInFlight: 4, MaxQueue: 4, MaxQueueTime: time.Second}
		c.Payment.Overload = overloader.LimitConfig{MaxInFlight: 1}
	}, nil)
	var paid, refused atomic.Int32
	var wg sync.WaitGroup
	for i := range 30 {
		for range 2 { // the customer's other browser
			wg.Go(func() {
				for end := time.Now().Add(time.Minute); time.Now().Before(end); {
					code, o, err := r.try("PUT", fmt.Sprint(i), teapots(fmt.Sprint("customer-", i), 1))
					switch {
					case err != nil:
						t.Error(err)
						return
					case code == http.StatusServiceUnavailable:
						time.Sleep(time.Millisecond)
						continue
					case o.State == "paid":
						paid.Add(1)
					case o.State == "refused":
						refused.Add(1)
					default:
						t.Errorf("%d %+v", code, o)
					}
					return
				}
				t.Error("no answer within a minute")
			})
		}
	}
	wg.Wait()
	if paid.Load() != 2*20 || refused.Load() != 2*10 {
		t.Errorf("paid %d, refused %d", paid.Load(), refused.Load())
	}
}

// traceKey is the context key of a trace, in place of OpenTelemetry's span.
type traceKey struct{}

// A tracer propagates traces as package plugin/otel does.
type tracer struct {
	mu   sync.Mutex
	seen map[string]string // trace by method
}

func (*tracer) Name() string { return "tracer" }

func (*tracer) PreWriteCall(ctx erpc.WriteCtx) *erpc.Status {
	if id, ok := ctx.Context().Value(traceKey{}).(string); ok {
		ctx.Output().Meta().Set("trace", id)
	}
	return nil
}

func (tr *tracer) PostReadCallHeader(ctx erpc.ReadCtx) *erpc.Status {
	id := ctx.GetMeta("trace")
	if id == "" {
		id = ctx.GetMeta("Trace") // in the spelling of HTTP
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.seen[ctx.ServiceMethod()] = id
	ctx.SetContext(context.WithValue(ctx.Context(), traceKey{}, id))
	return nil
}

func TestTracesReachEveryService(t *testing.T) {
	tr := &tracer{seen: map[string]string{}}
	r := newRig(t, nil, nil, tr)
	req, err := http.NewRequest("PUT", r.url+"/orders/1", strings.NewReader(teapots("ann", 1)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Trace", "t-1")
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, m := range []string{"/gateway/place", placeOrder.Name, reserveItems.Name, chargeCustomer.Name} {
		if tr.seen[m] != "t-1" {
			t.Errorf("%s has the trace %q", m, tr.seen[m])
		}
	}
}

func TestReadinessTellsWhetherOrdersIsThere(t *testing.T) {
	r := newRig(t, nil, nil)
	orders, err := serve(erpc.NewPeer(erpc.PeerConfig{ListenAddress: "127.0.0.1:0", Logger: quiet}))
	if err != nil {
		t.Fatal(err)
	}
	r.cfg.Gateway.Orders = orders.addr
	r.url = "http://" + r.start("gateway", nil).addr
	asked := func(path string) int {
		res, err := client.Get(r.url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if code := asked("/ready"); code != http.StatusOK {
		t.Errorf("code %d", code)
	}
	if err := orders.peer.Close(); err != nil {
		t.Fatal(err)
	}
	<-orders.done
	erpctest.Eventually(t, "the gateway is not ready", func() bool { return asked("/ready") == http.StatusServiceUnavailable })
	if code := asked("/live"); code != http.StatusOK {
		t.Errorf("it must not be restarted when orders is gone: code %d", code)
	}
}

func TestShippedConfiguration(t *testing.T) {
	var cfg Config
	if err := erpc.LoadConfig("shop.yaml", "", &cfg); err != nil {
		t.Fatal(err)
	}
	if len(cfg.Stock.Items) != 2 || cfg.Orders.Overload.MaxInFlight != 200 || cfg.Gateway.Retry.Attempts != 4 || cfg.Orders.Peer.RedialTimes != -1 {
		t.Errorf("%+v", cfg)
	}
	for want, text := range map[string]string{
		"default_context_age must be above 0": "gateway: {peer: {default_context_age: 0s}}",
		"max_queue has no effect without":     "orders: {overload: {max_queue: 1}}",
		"max_orders and settle":               "orders: {max_orders: 0}",
		"stok":                                "stok: {}",
	} {
		path := filepath.Join(t.TempDir(), "shop.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := erpc.LoadConfig(path, "", new(Config)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// run serves until its context ends, and must then end cleanly.
func TestProgram(t *testing.T) {
	text, err := os.ReadFile("shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "shop.yaml")
	// One service on its own port is enough here.
	text = bytes.ReplaceAll(text, []byte("127.0.0.1:9102"), []byte("127.0.0.1:0"))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-config", path, "stock"}, out) }()
	var name, addr string
	if _, err := fmt.Fscanf(in, "%s is at %s\n", &name, &addr); err != nil || name != "stock" {
		t.Fatal(name, addr, err)
	}
	p := erpc.NewPeer(erpc.PeerConfig{Logger: quiet})
	defer p.Close()
	sess, st := p.Dial(addr)
	if !st.OK() {
		t.Fatal(st)
	}
	res, err := reserveItems.Call(context.Background(), sess, &Reserve{"1", "tea", 2})
	if err != nil || res.Cents != 900 {
		t.Error(res, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := run(t.Context(), []string{"-config", path, "bank"}, out); err == nil || !strings.Contains(err.Error(), "bank") {
		t.Error(err)
	}
	out.Close()
}

func TestOrderStates(t *testing.T) {
	all := []orderState{orderNew, orderReserved, orderReleasing, orderPaid, orderRefused}
	for _, from := range all {
		for _, to := range all {
			x := &order{state: from}
			panicked := func() (p any) {
				defer func() { p = recover() }()
				x.moveLocked(to)
				return nil
			}() != nil
			if panicked == from.may(to) || !panicked && x.state != to {
				t.Errorf("%v to %v: panicked %v", from, to, panicked)
			}
		}
		if from.settled() != (from == orderPaid || from == orderRefused) {
			t.Errorf("%v is settled: %v", from, from.settled())
		}
	}
}

package js_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/mixer/websocket"
)

// said is what members of a room get.
type said struct {
	Room string `json:"room"`
	N    int    `json:"n"`
}

// chatNode adds a node of a cluster at path.
func chatNode(t *testing.T, mux *http.ServeMux, path string, bus *cluster.Memory) http.Handler {
	t.Helper()
	c := cluster.New(bus.Engine(), cluster.Options{History: []cluster.History{{Rooms: "kept", Size: 100}}})
	p := erpc.NewPeer(erpc.PeerConfig{Logger: slog.New(slog.DiscardHandler)}, c)
	c.HandleJoin(p, "/join", func(_ context.Context, _ erpc.Session, room string) error {
		if room == "secret" {
			return erpc.NewStatus(403, "not for you").Err()
		}
		return nil
	})
	say := func(ctx context.Context, n int) error {
		for _, room := range []string{"kept", "free"} {
			if err := c.Publish(ctx, room, "/said", said{room, n}); err != nil {
				return err
			}
		}
		return nil
	}
	erpc.HandleCall(p, "/node", func(context.Context, *any) (*string, error) { return &path, nil })
	erpc.HandleCall(p, "/say", func(ctx context.Context, n *int) (*int, error) { return n, say(ctx, *n) })
	// Ends the session, and says numbers before the client can be back.
	erpc.HandleCall(p, "/break", func(ctx context.Context, numbers *[]int) (*int, error) {
		err := erpc.CallCtxFrom(ctx).Session().CloseWith(erpc.NewStatus(erpc.CodeShuttingDown, "later"), true)
		for _, n := range *numbers {
			err = errors.Join(err, say(context.Background(), n))
		}
		if err != nil {
			t.Error(err)
		}
		return new(int), nil
	})
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	serve := websocket.NewJSONServeHandler(p, nil)
	mux.Handle(path, serve)
	var asked atomic.Int64
	mux.HandleFunc("/later"+path, func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		serve.ServeHTTP(w, r)
	})
	return serve
}

// TestRoomsInNode runs rooms.test.mjs in Node.js.
func TestRoomsInNode(t *testing.T) {
	node := kit.Program(t, "node")
	if out, err := exec.Command(node, "--experimental-websocket", "--version").CombinedOutput(); err != nil {
		t.Skipf("this node has no WebSocket, which comes with 20.10: %s", out)
	}
	mux := http.NewServeMux()
	bus := cluster.NewMemory()
	nodes := []http.Handler{chatNode(t, mux, "/one", bus), chatNode(t, mux, "/two", bus)}
	var conns atomic.Int64
	mux.HandleFunc("/any", func(w http.ResponseWriter, r *http.Request) {
		nodes[conns.Add(1)%2].ServeHTTP(w, r)
	})
	web := httptest.NewServer(mux)
	defer web.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "--experimental-websocket", "--no-warnings", "--test", "rooms.test.mjs")
	url := "ws" + strings.TrimPrefix(web.URL, "http")
	cmd.Env = append(os.Environ(), "ERPC_URL="+url+"/one", "ERPC_URL_2="+url+"/two", "ERPC_URL_ANY="+url+"/any")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "# pass 5") {
		t.Errorf("not all tests were run:\n%s", out)
	}
}

// TestRoomTypesAreOfTheModule: what rooms.d.ts declares is what rooms.js has.
func TestRoomTypesAreOfTheModule(t *testing.T) {
	has := names(t, block(t, source(t, "rooms.js"), "class Rooms "), `(?m)^  (?:async )?(\w+)\(.*\{`)
	says := names(t, block(t, source(t, "rooms.d.ts"), "class Rooms "), `(?m)^  (\w+)[(<]`)
	if strings.Join(has, " ") != strings.Join(says, " ") {
		t.Errorf("Rooms has %q, declared are %q", has, says)
	}
}

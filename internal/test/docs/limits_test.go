package docs

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/codec"
	"github.com/goerpc/erpc/codec/thriftcodec"
	"github.com/goerpc/erpc/internal/process/graceful"
	"github.com/goerpc/erpc/internal/test/kit"
	"github.com/goerpc/erpc/mixer/multiclient"
	"github.com/goerpc/erpc/peer"
	"github.com/goerpc/erpc/peer/config"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/jsonproto"
	"github.com/goerpc/erpc/proto/pbproto"
	"github.com/goerpc/erpc/proto/rawproto"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/socket"
	"github.com/goerpc/erpc/socket/kcp"
	"github.com/goerpc/erpc/socket/memory"
	"github.com/goerpc/erpc/socket/mux"
	"github.com/goerpc/erpc/xfer"
)

// limitRows returns the cells of each row of the tables of docs/limits.md.
func limitRows(t *testing.T) (rows [][]string) {
	t.Helper()
	for line := range strings.Lines(readPage(t, "docs/limits.md")) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

// TestLimitsOfPeers: each row names a field, its key, and its default.
func TestLimitsOfPeers(t *testing.T) {
	var cfg erpc.PeerConfig
	cfg.SetDefaults()
	value := reflect.ValueOf(cfg)
	row := regexp.MustCompile("^`PeerConfig\\.(\\w+)`$")
	seen := map[string]bool{}
	for _, cells := range limitRows(t) {
		m := row.FindStringSubmatch(cells[min(1, len(cells)-1)])
		if m == nil {
			continue
		}
		name := m[1]
		seen[name] = true
		field, ok := value.Type().FieldByName(name)
		if !ok {
			t.Errorf("%s is not a field of the configuration", name)
			continue
		}
		if key := "`" + field.Tag.Get("yaml") + "`"; cells[0] != key || field.Tag.Get("ini") != field.Tag.Get("yaml") {
			t.Errorf("%s has the key %s, the page says %s", name, key, cells[0])
		}
		if got := sayDefault(value.FieldByName(name)); cells[2] != got && (cells[2] != "none" && cells[2] != "the system's" || got != "0") {
			t.Errorf("%s is %s by default, the page says %s", name, got, cells[2])
		}
	}
	for _, field := range reflect.VisibleFields(value.Type()) {
		kind := field.Type.Kind()
		limit := kind >= reflect.Int && kind <= reflect.Int64 || field.Name == "QueuePolicy"
		if limit && !seen[field.Name] {
			t.Errorf("%s is not on the page", field.Name)
		}
	}
}

// sayDefault writes a default as the page does.
func sayDefault(v reflect.Value) string {
	switch d, ok := v.Interface().(time.Duration); {
	case ok && d == 0:
		return "0"
	case ok && d%time.Second == 0:
		return fmt.Sprintf("%d s", d/time.Second)
	case ok:
		return fmt.Sprintf("%d ms", d/time.Millisecond)
	case v.Kind() == reflect.Slice && v.Len() == 0:
		return "none"
	case v.Kind() == reflect.String:
		return v.String()
	case v.Int() > 0 && v.Int()%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", v.Int()>>20)
	}
	return strconv.FormatInt(v.Int(), 10)
}

// TestCostsOfConnections computes the numbers of the table from its first cells.
func TestCostsOfConnections(t *testing.T) {
	rows := 0
	for _, cells := range limitRows(t) {
		read, ok := bytesOf(cells[0])
		if !ok || len(cells) != 6 {
			continue
		}
		rows++
		inflight, ok1 := bytesOf(cells[1])
		queue, ok2 := bytesOf(cells[2])
		if !ok1 || !ok2 {
			t.Errorf("%q says no sizes", cells)
			continue
		}
		cfg := erpc.PeerConfig{ReadLimit: read, InflightLimit: inflight, QueueLimit: queue}
		one := kit.ConnectionCost(cfg, false)
		for i, want := range []string{sayBytes(one), sayBytes(kit.ConnectionCost(cfg, true)), sayBytes(1000 * one)} {
			if got := cells[3+i]; got != want {
				t.Errorf("%q: the page says %s, the formula %s", cells[:3], got, want)
			}
		}
	}
	if rows < 4 {
		t.Errorf("the page has %d rows", rows)
	}
	if one, first := kit.ConnectionCost(erpc.PeerConfig{}, false), int64(450<<20); one != first {
		t.Errorf("by default it is %d bytes, the first row says %d", one, first)
	}
}

// bytesOf reads a size as the page writes it.
func bytesOf(s string) (int, bool) {
	number, unit, _ := strings.Cut(s, " ")
	n, err := strconv.Atoi(number)
	shift, ok := map[string]int{"KiB": 10, "MiB": 20}[unit]
	return n << shift, ok && err == nil
}

// sayBytes writes a size as the page does.
func sayBytes(n int64) string {
	value, unit := float64(n)/(1<<20), "MiB"
	if n >= 1<<30 {
		value, unit = value/(1<<10), "GiB"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0") + " " + unit
}

// TestLimitsOfParts checks the second cell of the rows listed here.
func TestLimitsOfParts(t *testing.T) {
	want := map[string]string{
		"service method":                     "255 bytes",
		"status, escaped":                    "65535 bytes",
		"metadata, escaped":                  "65535 bytes",
		"transfer filters of a message":      strconv.Itoa(xfer.MaxFilters),
		"shutdown of all peers of a process": sayDefault(reflect.ValueOf(graceful.DefaultTimeout)),
		"addresses that have begun a KCP session without sending data yet": strconv.Itoa(kcp.MaxHalfOpen),
		"of them from one host":                      strconv.Itoa(kcp.MaxHalfOpenPerHost),
		"undecided connections of a mux":             strconv.Itoa(mux.DefaultUndecided),
		"of them from one address":                   strconv.Itoa(mux.DefaultUndecidedPerAddress),
		"bytes that a mux inspects":                  fmt.Sprintf("%d KiB", mux.DefaultPeek>>10),
		"time until a mux has assigned a connection": sayDefault(reflect.ValueOf(mux.DefaultTimeout)),
		"how long `Broadcast` waits, under the policy `block`, for all sessions whose queue is full": sayDefault(reflect.ValueOf(peer.DefaultBroadcastWait)),
		"how long a call of a `MultiClient` that has a session waits for another dial":               sayDefault(reflect.ValueOf(multiclient.MaxHold)),
		"asynchronous calls of a `MultiClient` that wait for a session":                              strconv.Itoa(multiclient.MaxPending),
		"pairs of a form body":                                    strconv.Itoa(codec.MaxFormPairs),
		"nesting of a Thrift body":                                strconv.Itoa(thriftcodec.MaxDepth),
		"output of a filter pipe that is used without a protocol": fmt.Sprintf("%d MiB", xfer.DefaultLimit>>20),
	}
	for _, cells := range limitRows(t) {
		if w, ok := want[cells[0]]; ok && len(cells) > 1 {
			if cells[1] != w {
				t.Errorf("%s: the page says %s, the code %s", cells[0], cells[1], w)
			}
			delete(want, cells[0])
		}
	}
	if len(want) > 0 {
		t.Errorf("the page does not say %v", want)
	}
}

// TestLimitsOfRawProtocol packs messages that fit exactly, and with one more byte.
func TestLimitsOfRawProtocol(t *testing.T) {
	text := func(n int) string { return strings.Repeat("a", n) }
	const status = len("code=1001&msg=")
	tests := []struct {
		name string
		at   int
		make func(n int) erpc.MessageSetting
		err  error
	}{
		{"method", 255, func(n int) erpc.MessageSetting { return erpc.WithServiceMethod(text(n)) }, rawproto.ErrMethodTooLong},
		{"status", 65535, func(n int) erpc.MessageSetting { return erpc.WithStatus(erpc.NewStatus(1001, text(n-status))) }, rawproto.ErrStatusTooLong},
		{"metadata", 65535, func(n int) erpc.MessageSetting { return erpc.WithAddMeta("k", text(n-2)) }, rawproto.ErrMetaTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := rawproto.New().Pack(nil, erpc.NewMessage(tt.make(tt.at))); err != nil {
				t.Errorf("%d bytes: %v", tt.at, err)
			}
			if _, err := rawproto.New().Pack(nil, erpc.NewMessage(tt.make(tt.at+1))); !errors.Is(err, tt.err) {
				t.Errorf("%d bytes: %v, want %v", tt.at+1, err, tt.err)
			}
		})
	}
}

// TestLimitOfConfigurationFiles loads a file of 1 MiB, and one with one more byte.
func TestLimitOfConfigurationFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "erpc.yaml")
	const head = "peer: {count_time: true}\n# "
	for _, size := range []int{1 << 20, 1<<20 + 1} {
		if err := os.WriteFile(path, []byte(head+strings.Repeat("-", size-len(head))), 0o600); err != nil {
			t.Fatal(err)
		}
		var cfg erpc.PeerConfig
		if err := erpc.LoadConfig(path, "peer", &cfg); errors.Is(err, config.ErrTooLarge) != (size > 1<<20) || err == nil != cfg.CountTime {
			t.Errorf("%d bytes: %v, loaded %t", size, err, cfg.CountTime)
		}
	}
}

// TestTooLargeInPieces: a call above the limit gets 413, although the receiver
// sees the length before the sequence number.
func TestTooLargeInPieces(t *testing.T) {
	const limit = 1 << 10
	text := append(append([]byte{11, 0, 1, 0, 0, 0x20, 0}, make([]byte, 0x2000)...), 0) // a thrift struct with a string
	stock := thriftproto.StockConfig{Transport: thriftproto.Header}
	for name, tc := range map[string]struct {
		proto erpc.ProtoFunc
		code  int32
	}{
		"raw":               {rawproto.New, erpc.CodeTooLarge},
		"json":              {jsonproto.New, erpc.CodeTooLarge},
		"json, WebSocket":   {jsonproto.NewSub, erpc.CodeTooLarge},
		"pb":                {pbproto.New, erpc.CodeTooLarge},
		"pb, WebSocket":     {pbproto.NewSub, erpc.CodeTooLarge},
		"thrift":            {thriftproto.NewBinaryProtoFunc(), erpc.CodeTooLarge},
		"thrift struct":     {thriftproto.NewStructProtoFunc(), erpc.CodeTooLarge},
		"thrift stock":      {thriftproto.NewStockProtoFunc(stock), erpc.CodeTooLarge},
		"thrift, no header": {thriftproto.NewStockProtoFunc(thriftproto.StockConfig{}), erpc.CodeBadMessage}, // it has no other code
		"http":              {httproto.NewHTTProtoFunc(), erpc.CodeTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := &memory.Transport{Faults: func() (memory.Fault, memory.Fault) {
					return memory.Fault{MaxRead: 1}, memory.Fault{}
				}}
				cfg := erpc.PeerConfig{Network: memory.Network, Transports: []socket.Transport{tr}, ProtoFunc: tc.proto, Logger: slog.New(slog.DiscardHandler)}
				client := erpc.NewPeer(cfg)
				defer closeInBubble(client)
				cfg.ReadLimit, cfg.ListenAddress = limit, "here"
				server := erpc.NewPeer(cfg)
				defer closeInBubble(server)
				lis, err := server.Listen()
				if err != nil {
					t.Fatal(err)
				}
				go func() { _ = server.Serve(lis) }() // it ends with the server
				sess, st := client.Dial("here")
				if !st.OK() {
					t.Fatal(st)
				}
				st = sess.Call("/call", text, nil, erpc.WithBodyCodec(codec.ID_THRIFT)).Status()
				if st.Code() != tc.code || !strings.Contains(st.String(), strconv.Itoa(int(erpc.CodeTooLarge))) {
					t.Errorf("got %v, want %d", st, tc.code)
				}
				<-sess.CloseNotify()
			})
		})
	}
}

// TestTooLargeAndSilent: a peer does not wait long for a client that sends a length
// above the limit and nothing else.
func TestTooLargeAndSilent(t *testing.T) {
	for name, pf := range map[string]erpc.ProtoFunc{
		"raw": rawproto.New, "json": jsonproto.New, "pb": pbproto.New,
		"thrift": thriftproto.NewBinaryProtoFunc(), "thrift stock": thriftproto.NewStockProtoFunc(thriftproto.StockConfig{}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := memory.New()
				server := erpc.NewPeer(erpc.PeerConfig{
					Network: memory.Network, Transports: []socket.Transport{tr}, ListenAddress: "here",
					ProtoFunc: pf, Logger: slog.New(slog.DiscardHandler),
				})
				defer closeInBubble(server)
				lis, err := server.Listen()
				if err != nil {
					t.Fatal(err)
				}
				go func() { _ = server.Serve(lis) }() // it ends with the server
				for _, sent := range []int{4, 5, 6} {
					conn, err := tr.Dial(t.Context(), memory.Network, "here", &socket.Options{})
					if err != nil {
						t.Fatal(err)
					}
					defer conn.Close()
					t0 := time.Now()
					if _, err := conn.Write([]byte("\x7f\xff\xff\xff\x00\x01")[:sent]); err != nil {
						t.Fatal(err)
					}
					if b, err := io.ReadAll(conn); len(b) > 0 || err != nil {
						t.Errorf("%d bytes are answered by %q, %v; want the end", sent, b, err)
					}
					if took := time.Since(t0); took > 200*time.Millisecond {
						t.Errorf("after %d bytes the connection ended in %s", sent, took)
					}
				}
			})
		})
	}
}

// closeInBubble also lets the watchdog goroutine end.
func closeInBubble(p erpc.Peer) {
	_ = p.Close() // its sessions may have ended by themselves
	time.Sleep(time.Second)
}

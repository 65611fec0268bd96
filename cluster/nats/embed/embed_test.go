package embed

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/goerpc/erpc/internal/test/kit"
)

func TestMain(m *testing.M) { kit.Main(m) }

// A server of a mesh also listens for clients, on the loopback address. It refuses clients
// that do not know its password, which is random.
func TestServerRefusesStrangers(t *testing.T) {
	kit.NoLeaks(t)
	log := kit.Log{Min: slog.LevelWarn}
	s, err := Start(Config{Listen: "127.0.0.1:0", User: "mesh", Password: "swordfish", Logger: slog.New(&log)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	log.Silent(t)
	for with, c := range map[string]struct {
		options []nats.Option
		want    error
	}{
		"nothing":          {nil, nats.ErrAuthorization},
		"another password": {[]nats.Option{nats.UserInfo("node", "x")}, nats.ErrAuthorization},
		"its password":     {[]nats.Option{s.user}, nil},
	} {
		conn, err := nats.Connect(s.server.ClientURL(), c.options...)
		if !errors.Is(err, c.want) {
			t.Errorf("with %s: %v, want %v", with, err, c.want)
		}
		conn.Close()
	}
	if addr := s.server.Addr().String(); addr[:10] != "127.0.0.1:" {
		t.Errorf("it listens for clients at %s", addr)
	}
}

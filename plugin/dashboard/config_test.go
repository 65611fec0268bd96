package dashboard_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/dashboard"
)

// One line of a configuration file serves the dashboard, next to the peer.
func TestConfigurationFile(t *testing.T) {
	type program struct {
		Peer      erpc.PeerConfig  `yaml:"peer"`
		Dashboard dashboard.Config `yaml:"dashboard"`
	}
	for name, c := range map[string]struct {
		line string
		want dashboard.Config
		err  string
	}{
		"one line": {"dashboard: {listen: '127.0.0.1:9091'}", dashboard.Config{Listen: "127.0.0.1:9091"}, ""},
		"all":      {"dashboard: {listen: 'localhost:0', hosts: [ops], target: 'tls://ops:9090'}", dashboard.Config{Listen: "localhost:0", Hosts: []string{"ops"}, Target: "tls://ops:9090"}, ""},
		"unknown":  {"dashboard: {liste: x}", dashboard.Config{}, "liste"},
	} {
		file := filepath.Join(t.TempDir(), "program.yaml")
		if err := os.WriteFile(file, []byte(c.line+"\npeer: {listen_port: 9090}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var got program
		err := erpc.LoadConfig(file, "", &got)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got.Dashboard, c.want) {
			t.Errorf("%s: %+v, %v", name, got.Dashboard, err)
		}
	}
}

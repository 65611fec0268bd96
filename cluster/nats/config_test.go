package nats_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/cluster/nats/embed"
)

// The configuration of a node, its server and its cluster, can be written to a file
// and read back.
func TestConfigurationsAreLoadedAndWritten(t *testing.T) {
	type node struct {
		Server  embed.Config    `yaml:"server" ini:"server"`
		Cluster cluster.Options `yaml:"cluster" ini:"cluster"`
	}
	full := node{
		embed.Config{
			Name: "one", Listen: "10.0.0.1:6222", Routes: []string{"10.0.0.2:6222", "10.0.0.3:6222"}, User: "mesh", Password: "a, b # c",
			MaxPayload: 1 << 20, Ready: time.Second, Store: &embed.Store{Dir: "/var/lib/erpc", MaxBytes: 1 << 32},
		},
		cluster.Options{Prefix: "shop", Beat: time.Second, History: []cluster.History{{Rooms: "chat/", Size: 10, Age: time.Minute}}},
	}
	for name, want := range map[string]node{"zero.yaml": {}, "zero.ini": {}, "full.yaml": full, "full.ini": full} {
		path := filepath.Join(t.TempDir(), name)
		if err := erpc.WriteDefaultConfig(path, "", &want); err != nil {
			t.Fatal(err)
		}
		var got node
		if err := erpc.LoadConfig(path, "", &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read\n%+v, wrote\n%+v", name, got, want)
		}
	}
	t.Setenv("MESH_PASSWORD", "s3cret") // as a secret should be given
	path := filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(path, []byte("server: {user: mesh, password: '${MESH_PASSWORD}'}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got node
	if err := erpc.LoadConfig(path, "", &got); err != nil || got.Server.Password != "s3cret" {
		t.Errorf("%+v, %v", got.Server, err)
	}
}

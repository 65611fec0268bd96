package prometheus_test

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/otel"
	"github.com/goerpc/erpc/plugin/otel/prometheus"
)

// Both configurations of this module can be written to a file and read from it.
func TestConfigurationsAreLoadedAndWritten(t *testing.T) {
	type whole struct {
		OTel       otel.Config       `yaml:"otel" ini:"otel"`
		Prometheus prometheus.Config `yaml:"prometheus" ini:"prometheus"`
	}
	for _, name := range []string{"a.yaml", "a.ini"} {
		want := whole{Prometheus: prometheus.Config{Peer: "front, of 2"}}
		path := filepath.Join(t.TempDir(), name)
		if err := erpc.WriteDefaultConfig(path, "", &want); err != nil {
			t.Fatal(err)
		}
		var got whole
		if err := erpc.LoadConfig(path, "", &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read %+v, wrote %+v", name, got, want)
		}
	}
}

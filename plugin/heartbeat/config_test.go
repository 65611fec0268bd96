package heartbeat_test

import (
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/goerpc/erpc/plugin/heartbeat"
)

func TestYAML(t *testing.T) {
	var got heartbeat.PingConfig
	err := yaml.Unmarshal([]byte("rate: 500ms\nmisses: 4\npush: true"), &got)
	if want := (heartbeat.PingConfig{Rate: 500 * time.Millisecond, Misses: 4, Push: true}); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

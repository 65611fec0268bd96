package retry_test

import (
	"reflect"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/goerpc/erpc/plugin/retry"
)

func TestYAML(t *testing.T) {
	var got struct {
		Retry retry.Config
	}
	err := yaml.Unmarshal([]byte(`
retry:
  attempts: 4
  backoff: 20ms
  max_backoff: 1s
  budget: 0.2
  budget_burst: 5
  breaker: {window: 30s, min_calls: 8, failures: 0.25, cooldown: 2s, probes: 3}
`), &got)
	want := got
	want.Retry = retry.Config{
		Attempts: 4, Backoff: 20 * time.Millisecond, MaxBackoff: time.Second, Budget: 0.2, BudgetBurst: 5,
		Breaker: &retry.BreakerConfig{Window: 30 * time.Second, MinCalls: 8, Failures: 0.25, Cooldown: 2 * time.Second, Probes: 3},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

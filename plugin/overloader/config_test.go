package overloader_test

import (
	"reflect"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/goerpc/erpc/plugin/overloader"
)

func TestYAML(t *testing.T) {
	var got overloader.LimitConfig
	err := yaml.Unmarshal([]byte(`
max_conn: 100
max_total_qps: 1000
max_handler_qps:
  - {service_method: /report, max_qps: 5, max_in_flight: 2}
max_in_flight: 50
max_queue: 10
max_queue_time: 250ms
except: [/heartbeat]
`), &got)
	want := overloader.LimitConfig{
		MaxConn: 100, MaxTotalQPS: 1000, MaxInFlight: 50, MaxQueue: 10, MaxQueueTime: 250 * time.Millisecond,
		MaxHandlerQPS: []overloader.HandlerLimit{{ServiceMethod: "/report", MaxQPS: 5, MaxInFlight: 2}},
		Except:        []string{"/heartbeat"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

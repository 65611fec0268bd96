package proxy_test

import (
	"reflect"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/goerpc/erpc/plugin/proxy"
)

func TestYAML(t *testing.T) {
	var got struct {
		Proxy proxy.Config
	}
	err := yaml.Unmarshal([]byte(`
proxy: {trust_real_ip: true, max_in_flight: 9, ordered_pushes: true}
`), &got)
	want := got
	want.Proxy = proxy.Config{TrustRealIP: true, MaxInFlight: 9, OrderedPushes: true}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

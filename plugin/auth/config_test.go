package auth_test

import (
	"reflect"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/goerpc/erpc/plugin/auth"
)

func TestYAML(t *testing.T) {
	var got struct {
		Bearer      auth.BearerConfig
		Checker     auth.CheckerConfig
		HMACBearer  auth.HMACBearerConfig  `yaml:"hmac_bearer"`
		HMACChecker auth.HMACCheckerConfig `yaml:"hmac_checker"`
	}
	err := yaml.Unmarshal([]byte(`
bearer: {timeout: 2s}
checker: {timeout: 3s, detail: true}
hmac_bearer: {id: me, key: sixteen bytes or more, timeout: 4s}
hmac_checker: {timeout: 5s, detail: true}
`), &got)
	want := got
	want.Bearer = auth.BearerConfig{Timeout: 2 * time.Second}
	want.Checker = auth.CheckerConfig{Timeout: 3 * time.Second, Detail: true}
	want.HMACBearer = auth.HMACBearerConfig{ID: "me", Key: "sixteen bytes or more", Timeout: 4 * time.Second}
	want.HMACChecker = auth.HMACCheckerConfig{Timeout: 5 * time.Second, Detail: true}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

package stats_test

import (
	"reflect"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/goerpc/erpc/plugin/stats"
)

func TestYAML(t *testing.T) {
	var got struct {
		Stats stats.Config
	}
	err := yaml.Unmarshal([]byte(`
stats: {max_methods: 9}
`), &got)
	want := got
	want.Stats = stats.Config{MaxMethods: 9}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

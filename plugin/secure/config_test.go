package secure_test

import (
	"reflect"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/goerpc/erpc/plugin/secure"
)

func TestYAML(t *testing.T) {
	var got secure.Config
	err := yaml.Unmarshal([]byte(`
keys:
  - {id: k1, key: the first key of 32 random bytes}
cipher: aes-gcm
require: true
optional: [/public/*]
`), &got)
	want := secure.Config{Keys: []secure.Key{one}, Cipher: secure.AESGCM, Require: true, Optional: []string{"/public/*"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

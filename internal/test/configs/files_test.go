// Package configs tests that every configuration can be loaded from a file and written
// to one.
package configs

import (
	"encoding"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/cluster"
	"github.com/goerpc/erpc/cluster/lookup"
	"github.com/goerpc/erpc/plugin/acl"
	"github.com/goerpc/erpc/plugin/auth"
	"github.com/goerpc/erpc/plugin/binder"
	"github.com/goerpc/erpc/plugin/binder/validate"
	"github.com/goerpc/erpc/plugin/dashboard"
	"github.com/goerpc/erpc/plugin/heartbeat"
	"github.com/goerpc/erpc/plugin/limit"
	"github.com/goerpc/erpc/plugin/overloader"
	"github.com/goerpc/erpc/plugin/proxy"
	methods "github.com/goerpc/erpc/plugin/reflect"
	"github.com/goerpc/erpc/plugin/retry"
	"github.com/goerpc/erpc/plugin/secure"
	"github.com/goerpc/erpc/plugin/stats"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/thriftproto"
	"github.com/goerpc/erpc/socket/kcp"
	"github.com/goerpc/erpc/socket/mux"
	"github.com/goerpc/erpc/socket/websocket"
)

// whole has every configuration that a file can hold. Those of the modules plugin/otel
// and cluster/nats are tested there.
type whole struct {
	Peer        erpc.PeerConfig         `yaml:"peer" ini:"peer"`
	HTTPHandler erpc.HTTPConfig         `yaml:"http_handler" ini:"http_handler"`
	HTTP        httproto.Config         `yaml:"http" ini:"http"`
	Thrift      thriftproto.StockConfig `yaml:"thrift" ini:"thrift"`
	WebSocket   websocket.Config        `yaml:"websocket" ini:"websocket"`
	KCP         kcp.Config              `yaml:"kcp" ini:"kcp"`
	Mux         mux.Config              `yaml:"mux" ini:"mux"`
	Cluster     cluster.Options         `yaml:"cluster" ini:"cluster"`
	Lookup      lookup.Options          `yaml:"lookup" ini:"lookup"`
	Reflect     methods.Config          `yaml:"reflect" ini:"reflect"`
	ACL         acl.Config              `yaml:"acl" ini:"acl"`
	Bearer      auth.BearerConfig       `yaml:"bearer" ini:"bearer"`
	Checker     auth.CheckerConfig      `yaml:"checker" ini:"checker"`
	HMACBearer  auth.HMACBearerConfig   `yaml:"hmac_bearer" ini:"hmac_bearer"`
	HMACChecker auth.HMACCheckerConfig  `yaml:"hmac_checker" ini:"hmac_checker"`
	Login       auth.LoginConfig        `yaml:"login" ini:"login"`
	Dashboard   dashboard.Config        `yaml:"dashboard" ini:"dashboard"`
	Binder      binder.Config           `yaml:"binder" ini:"binder"`
	Validate    validate.Config         `yaml:"validate" ini:"validate"`
	Ping        heartbeat.PingConfig    `yaml:"ping" ini:"ping"`
	Pong        heartbeat.PongConfig    `yaml:"pong" ini:"pong"`
	Limit       limit.Config            `yaml:"limit" ini:"limit"`
	Rate        limit.Rate              `yaml:"rate" ini:"rate"`
	Overloader  overloader.LimitConfig  `yaml:"overloader" ini:"overloader"`
	Proxy       proxy.Config            `yaml:"proxy" ini:"proxy"`
	Retry       retry.Config            `yaml:"retry" ini:"retry"`
	Secure      secure.Config           `yaml:"secure" ini:"secure"`
	Stats       stats.Config            `yaml:"stats" ini:"stats"`
}

// textValues are values of the types that read themselves from a text.
var textValues = map[reflect.Type]string{
	reflect.TypeFor[thriftproto.Transport](): "header",
	reflect.TypeFor[thriftproto.Protocol]():  "compact",
}

// fill sets everything below v that a file can set, and leaves no number at 0.
func fill(v reflect.Value, n *int64) {
	*n++
	if name, ok := textValues[v.Type()]; ok {
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(name)); err != nil {
			panic(err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("yaml") != "-" {
				fill(v.Field(i), n)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.String:
		v.SetString("text, of " + v.Type().Name())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(float64(*n) / 4)
	case reflect.Uint16:
		v.SetUint(uint64(*n % 1000))
	case reflect.Int, reflect.Int32, reflect.Int64:
		if v.Type() == reflect.TypeFor[time.Duration]() {
			*n *= int64(time.Millisecond)
		}
		v.SetInt(*n)
		*n = *n%1000 + 1
	default:
		panic("a kind that this test does not know: " + v.Type().String())
	}
}

// Every configuration can be written to a file and read from it.
func TestConfigurationsAreLoadedAndWritten(t *testing.T) {
	for _, name := range []string{"zero.yaml", "zero.ini", "full.yaml", "full.ini"} {
		t.Run(name, func(t *testing.T) {
			var want, got whole
			if strings.HasPrefix(name, "full") {
				fill(reflect.ValueOf(&want).Elem(), new(int64))
			}
			path := filepath.Join(t.TempDir(), name)
			if err := erpc.WriteDefaultConfig(path, "", &want); err != nil {
				t.Fatal(err)
			}
			if err := erpc.LoadConfig(path, "", &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("read\n%+v, wrote\n%+v", got, want)
			}
		})
	}
}

// Every field says what it is for in a written file.
func TestConfigurationsAreCommented(t *testing.T) {
	var look func(typ reflect.Type)
	look = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice:
			look(typ.Elem())
		case reflect.Struct:
			for f := range typ.Fields() {
				if f.Tag.Get("yaml") == "-" {
					continue
				}
				if y, i := f.Tag.Get("yaml"), f.Tag.Get("ini"); y == "" || y != i {
					t.Errorf("%v.%s is %q in YAML and %q in INI", typ, f.Name, y, i)
				}
				if f.Tag.Get("comment") == "" && f.Type.Kind() != reflect.Struct {
					t.Errorf("%v.%s has no comment", typ, f.Name)
				}
				look(f.Type)
			}
		}
	}
	look(reflect.TypeFor[whole]())
}

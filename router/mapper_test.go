package router_test

import (
	"testing"

	"github.com/goerpc/erpc/router"
)

// The table of the README. Hundreds of thousands of names without a leading
// underscore were compared with the results of erpc v7.2.2.
func TestMappers(t *testing.T) {
	for _, c := range []struct{ name, http, rpc string }{
		{"AaBb", "/aa_bb", "AaBb"},
		{"ABcXYz", "/abc_xyz", "ABcXYz"},
		{"Aa__Bb", "/aa_bb", "Aa_Bb"},
		{"aa__bb", "/aa_bb", "aa_bb"},
		{"ABC__XYZ", "/abc_xyz", "ABC_XYZ"},
		{"Aa_Bb", "/aa/bb", "Aa.Bb"},
		{"aa_bb", "/aa/bb", "aa.bb"},
		{"ABC_XYZ", "/abc/xyz", "ABC.XYZ"},
		// Other names.
		{"", "/", ""},
		{"A", "/a", "A"},
		{"A2B", "/a2_b", "A2B"},
		{"Aa___Bb", "/aa_bb", "Aa_Bb"},
		{"Aa_", "/aa_", "Aa_"},
		{"_Aa", "/aa", "Aa"},
		{"Zähler", "/zähler", "Zähler"},
	} {
		if got := router.HTTPServiceMethodMapper("", c.name); got != c.http {
			t.Errorf("HTTP mapping of %q is %q, want %q", c.name, got, c.http)
		}
		if got := router.RPCServiceMethodMapper("", c.name); got != c.rpc {
			t.Errorf("RPC mapping of %q is %q, want %q", c.name, got, c.rpc)
		}
	}
}

func TestMappersWithPrefix(t *testing.T) {
	for _, c := range []struct {
		mapper             router.ServiceMethodMapper
		prefix, name, want string
	}{
		{router.HTTPServiceMethodMapper, "/v1", "Aa_Bb", "/v1/aa/bb"},
		{router.HTTPServiceMethodMapper, "v1", "AaBb", "/v1/aa_bb"},
		{router.HTTPServiceMethodMapper, "/v1/", "AaBb", "/v1/aa_bb"},
		{router.HTTPServiceMethodMapper, "/V1", "AaBb", "/V1/aa_bb"}, // a prefix has been mapped already
		{router.HTTPServiceMethodMapper, "/v1", "", "/v1"},
		{router.HTTPServiceMethodMapper, "/v1", "/Sub/Path", "/v1/sub/path"},
		{router.HTTPServiceMethodMapper, "/", "aa__bb", "/aa_bb"},
		{router.RPCServiceMethodMapper, "v1", "AaBb", "v1.AaBb"},
		{router.RPCServiceMethodMapper, "v1.", "Aa_Bb", "v1..Aa.Bb"}, // dots are not collected
		{router.RPCServiceMethodMapper, "v1", "_Aa", "v1.Aa"},
		{router.RPCServiceMethodMapper, "", "Aa_Bb", "Aa.Bb"},
		{router.RPCServiceMethodMapper, "v1", "", "v1"},
	} {
		if got := c.mapper(c.prefix, c.name); got != c.want {
			t.Errorf("%q behind %q is mapped to %q, want %q", c.name, c.prefix, got, c.want)
		}
	}
}

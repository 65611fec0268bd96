package codec_test

import (
	"testing"

	"github.com/goerpc/erpc/codec"
)

// The functions of v7 find a codec and use it, or return an error.
func TestFunctionsOfV7(t *testing.T) {
	var n int
	data, err := codec.Marshal('j', 7)
	if err != nil || string(data) != "7" {
		t.Errorf("%s, %v", data, err)
	}
	if err := codec.Unmarshal('j', data, &n); err != nil || n != 7 {
		t.Error(n, err)
	}
	if data, err = codec.MarshalByName("json", 8); err != nil || string(data) != "8" {
		t.Errorf("%s, %v", data, err)
	}
	if err := codec.UnmarshalByName("json", data, &n); err != nil || n != 8 {
		t.Error(n, err)
	}
	if data, err := codec.ProtoMarshal(nil); err != nil || len(data) != 0 {
		t.Error(data, err)
	}
	if err := codec.ProtoUnmarshal(nil, nil); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"Unmarshal": codec.Unmarshal(250, nil, nil), "UnmarshalByName": codec.UnmarshalByName("morse", nil, nil),
		"ProtoUnmarshal": codec.ProtoUnmarshal([]byte{1}, new(int)),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if _, err := codec.Marshal(250, 1); err == nil {
		t.Error("Marshal: no error")
	}
	if _, err := codec.MarshalByName("morse", 1); err == nil {
		t.Error("MarshalByName: no error")
	}
}

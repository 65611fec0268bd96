package message

import (
	"encoding/json"
	"testing"
)

func TestStatusUnderTheNamesOfV7(t *testing.T) {
	for _, st := range []*Status{
		{}, NewStatus(7, ""), NewStatus(7, "a & b", "c=d"), NewStatus(-1, "\"\x00\n", "ü"),
	} {
		var back, fromJSON Status
		back.SetMsg("of before")
		back.DecodeQuery(st.EncodeQuery())
		if back.String() != st.String() || string(st.EncodeQuery()) != st.QueryString() {
			t.Errorf("%v came back from %q as %v", st, st.QueryString(), &back)
		}
		if err := json.Unmarshal([]byte(st.JSONString()), &fromJSON); err != nil || fromJSON.String() != st.String() {
			t.Errorf("%v came back from %s as %v, %v", st, st.JSONString(), &fromJSON, err)
		}
	}
	var none *Status
	none.DecodeQuery([]byte("code=1"))
	if none.EncodeQuery() != nil || none.QueryString() != "" || none.JSONString() != "{}" {
		t.Errorf("nil is %q and %s", none.QueryString(), none.JSONString())
	}
	st := NewStatus(3, "of before")
	if st.DecodeQuery([]byte("code=no number")); !st.OK() || st.Msg() != "" {
		t.Errorf("no status was read as %v", st)
	}
}

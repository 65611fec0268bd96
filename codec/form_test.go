package codec_test

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/goerpc/erpc/codec"
)

func TestFormLeavesOut(t *testing.T) {
	type secret struct{ Shown, hidden string }
	v := struct {
		secret
		private string
		Dash    string `form:"-"`
		NilP    *int
		NilDeep *struct{ A int }
		NilList *[]string
		Empty   []string
		NilAny  any
	}{secret{"s", "h"}, "p", "d", nil, nil, nil, []string{}, nil}
	b, err := codec.FormCodec{}.Marshal(v)
	if want := "Shown=s"; string(b) != want || err != nil {
		t.Errorf("Marshal = %s, %v, want %s (not %q, %q)", b, err, want, v.hidden, v.private)
	}
	if b, err := (codec.FormCodec{}).Marshal((*F)(nil)); len(b) != 0 || err != nil {
		t.Errorf("Marshal of a nil pointer = %q, %v, want nothing", b, err)
	}
}

func TestFormReading(t *testing.T) {
	type target struct {
		A    int      `form:"a"`
		Same string   `form:"a"`
		L    []string `form:"l"`
		Arr  [3]int   `form:"arr"`
		B    bool     `form:"b"`
		P    *int     `form:"p"`
		Any  any      `form:"any"`
		Deep *struct {
			D string `form:"d"`
		}
		T time.Time `form:"t"`
	}
	start := func() target {
		return target{A: 9, L: []string{"old", "older"}, Arr: [3]int{7, 8, 9}, B: true, T: time.Unix(1, 0)}
	}
	tests := []struct {
		name, text string
		want       func(*target)
	}{
		{"missing keys change nothing", "", func(*target) {}},
		{"unknown keys are ignored", "x=1&&y&=&=z", func(*target) {}},
		{"the first of several counts", "a=1&a=2", func(v *target) { v.A, v.Same = 1, "1" }},
		{"slices are replaced", "l=x&l=&l=y", func(v *target) { v.L = []string{"x", "", "y"} }},
		{"a short array keeps its rest", "arr=1&arr=2", func(v *target) { v.Arr = [3]int{1, 2, 9} }},
		{"empty is zero", "a=&b=&t=&arr=", func(v *target) { v.A, v.Same, v.B, v.T, v.Arr[0] = 0, "", false, time.Time{}, 0 }},
		{"key without =", "b", func(v *target) { v.B = false }},
		{"empty makes a pointer", "p=", func(v *target) { v.P = new(int) }},
		{"structs are made when needed", "d=x", func(v *target) {
			v.Deep = &struct {
				D string `form:"d"`
			}{"x"}
		}},
		{"one value in an interface", "any=1", func(v *target) { v.Any = "1" }},
		{"three values in an interface", "any=1&any=2&any=3", func(v *target) { v.Any = []string{"1", "2", "3"} }},
		{"escapes in keys", "%61=5&an%79=a%2Bb+c", func(v *target) { v.A, v.Same, v.Any = 5, "5", "a+b c" }},
		{"= in a value", "any=a=b", func(v *target) { v.Any = "a=b" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, want := start(), start()
			tt.want(&want)
			if err := (codec.FormCodec{}).Unmarshal([]byte(tt.text), &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// TestFormKeepsOldSlices: decoding a slice does not overwrite the elements of the
// previous one.
func TestFormKeepsOldSlices(t *testing.T) {
	old := []string{"mine", "too"}
	v := F{L: old}
	if err := (codec.FormCodec{}).Unmarshal([]byte("l=x"), &v); err != nil || old[0] != "mine" {
		t.Errorf("the old slice is %q, %v", old, err)
	}
}

// TestFormReplacesMaps: as in v7, a map is replaced, and only by good data.
func TestFormReplacesMaps(t *testing.T) {
	m := map[string]string{"old": "1"}
	mine := m
	if err := (codec.FormCodec{}).Unmarshal([]byte("new=2&bad=%"), &m); err == nil || m["old"] != "1" || len(m) != 1 {
		t.Errorf("after bad data: %v, %v", m, err)
	}
	if err := (codec.FormCodec{}).Unmarshal([]byte("new=2"), &m); err != nil || !reflect.DeepEqual(m, map[string]string{"new": "2"}) {
		t.Errorf("after good data: %v, %v", m, err)
	}
	if mine["old"] != "1" || len(mine) != 1 {
		t.Errorf("the old map was changed: %v", mine)
	}
}

func TestFormTimes(t *testing.T) {
	type times struct {
		Zone time.Time   `form:"zone" time_format:"2006-01-02 15:04" time_location:"Asia/Tokyo"`
		List []time.Time `form:"list" time_format:"2006" time_utc:"1"`
		Ptr  *time.Time  `form:"ptr"`
		Zero time.Time   `form:"zero"`
	}
	at := time.Date(2024, 5, 6, 7, 8, 0, 0, time.UTC)
	in := times{at, []time.Time{at, {}}, &at, time.Time{}}
	b, err := codec.FormCodec{}.Marshal(in)
	if want := "list=2024&list=&ptr=2024-05-06T07%3A08%3A00Z&zero=&zone=2024-05-06+16%3A08"; string(b) != want || err != nil {
		t.Fatalf("Marshal = %s, %v, want %s", b, err, want)
	}
	var got times
	if err := (codec.FormCodec{}).Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if !got.Zone.Equal(at) || !got.Ptr.Equal(at) || got.List[0].Year() != 2024 || !got.List[1].IsZero() || !got.Zero.IsZero() {
		t.Errorf("Unmarshal = %+v", got)
	}
}

func TestFormUnsupportedFields(t *testing.T) {
	type loop struct{ Next *loop }
	type ring struct {
		A struct{ B *struct{ C map[string]int } }
	}
	tests := []struct {
		v    any
		want string
	}{
		{&loop{}, "field Next *codec_test.loop: a struct that contains itself"},
		{&ring{}, "field C map[string]int: use a scalar"},
		{&struct{ C chan int }{}, "field C chan int"},
		{&struct{ L []F }{}, "field L []codec_test.F"},
		{&struct{ L [][]string }{}, "field L [][]string"},
		{&struct {
			S F `form:"s"`
		}{}, "remove the form tag"},
		{&struct {
			T time.Time `time_location:"Nowhere/Land"`
		}{}, "time_location"},
		{&struct {
			T time.Time `time_utc:"perhaps"`
		}{}, "time_utc"},
		{&struct{ E fmt.Stringer }{}, "field E fmt.Stringer"},
		{&struct{ C complex64 }{}, "field C complex64"},
	}
	for _, tt := range tests {
		_, merr := codec.FormCodec{}.Marshal(tt.v)
		for _, err := range []error{merr, codec.FormCodec{}.Unmarshal([]byte("a=1"), tt.v)} {
			var te *codec.TypeError
			if !errors.As(err, &te) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), `form:"-"`) {
				t.Errorf("%T: error = %v, want a TypeError with %q", tt.v, err, tt.want)
			}
		}
	}
	for _, v := range []any{
		map[string]any{"k": F{}}, map[string]any{"k": []any{[]int{1}}}, map[string]F{}, map[int]string{},
		struct{ A any }{map[string]int{}}, struct{ A []any }{[]any{F{}}}, time.Now(), []string{"a"},
	} {
		b, err := codec.FormCodec{}.Marshal(v)
		var te *codec.TypeError
		if !errors.As(err, &te) || len(b) != 0 {
			t.Errorf("Marshal(%T) = %q, %v, want a TypeError", v, b, err)
		}
	}
}

func TestFormPairLimit(t *testing.T) {
	text := []byte(strings.TrimSuffix(strings.Repeat("k=v&", codec.MaxFormPairs), "&"))
	var m url.Values
	if err := (codec.FormCodec{}).Unmarshal(text, &m); err != nil || len(m["k"]) != codec.MaxFormPairs {
		t.Errorf("%d pairs: %d read, %v", codec.MaxFormPairs, len(m["k"]), err)
	}
	text = append(text, "&k=v"...)
	for _, v := range []any{&m, new(map[string]string), new(map[string]any), new(any)} {
		if err := (codec.FormCodec{}).Unmarshal(text, v); err == nil || !strings.Contains(err.Error(), "more than 10000 pairs") {
			t.Errorf("one more into %T: %v, want an error", v, err)
		}
	}
	var s struct {
		K []string `form:"k"`
	}
	if err := (codec.FormCodec{}).Unmarshal(text, &s); err == nil || !strings.Contains(err.Error(), "more than 10000 pairs") {
		t.Errorf("one more into a slice of a struct: %d read, %v, want an error", len(s.K), err)
	}
	unknown := []byte(strings.Replace(string(text), "k=v", "K=v", 1))
	unknown = []byte(strings.ReplaceAll(string(unknown), "&k=v", "&other=v"))
	if err := (codec.FormCodec{}).Unmarshal(unknown, &s); err != nil {
		t.Errorf("pairs that the struct does not have: %v", err)
	}
}

// TestFormHostileKeys: a megabyte of unknown keys takes next to no memory.
func TestFormHostileKeys(t *testing.T) {
	var text strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&text, "k%d[%d][x]=%d&", i, i*1_000_000, i)
	}
	data := []byte(text.String())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var v F
	err := codec.FormCodec{}.Unmarshal(data, &v)
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; err != nil || got > 1<<20 {
		t.Errorf("%d bytes of unknown keys: %d bytes allocated, %v", len(data), got, err)
	}
}

// TestFormReadsLikeNetURL compares with the standard parser.
func TestFormReadsLikeNetURL(t *testing.T) {
	for _, text := range []string{"", "a", "a=", "=b", "&&", "a=1&a=2&b=%26", "a+b=c+d", "a=b=c", "%C3%A9=%c3%a9", "a;b", "a=%", "a=%4", "a=%zz", "\x00=\xff"} {
		want, wantErr := url.ParseQuery(text)
		got := url.Values{}
		err := codec.FormCodec{}.Unmarshal([]byte(text), &got)
		if (err != nil) != (wantErr != nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v, want %v, %v", text, got, err, want, wantErr)
		}
	}
}

// TestFormNames: a field without a tag form is found by its other names, so that a
// parameter of a path or a query is not lost silently.
func TestFormNames(t *testing.T) {
	type target struct {
		ID      int    `json:"id"`
		UserID  int    `json:"user_id,omitempty"`
		Tagged  string `form:"tag" json:"other"`
		Plain   string
		Plain2  string `json:"plain"` // JSON's name wins over that of Plain in another case
		Hidden  string `json:"-"`
		NoName  string `json:",omitempty"`
		noField string
	}
	long := strings.Repeat("x", 100)
	for text, want := range map[string]target{
		"id=1":                   {ID: 1},
		"ID=1":                   {ID: 1},
		"Id=1&id=2":              {ID: 1}, // the first one counts, under any name
		"user_id=2":              {UserID: 2},
		"userid=2":               {UserID: 2},
		"tag=a":                  {Tagged: "a"},
		"other=a&tagged=b&TAG=c": {},
		"Plain=a&plain=b":        {Plain: "a", Plain2: "b"},
		"PLAIN=a":                {Plain: "a"},
		"hidden=a":               {},
		"Hidden=a":               {Hidden: "a"}, // as in erpc v7
		"noname=a":               {NoName: "a"},
		"nofield=a&noField=b":    {},
		long + "=1&id=3":         {ID: 3},
	} {
		var v target
		if err := (codec.FormCodec{}).Unmarshal([]byte(text), &v); err != nil || v != want {
			t.Errorf("%s: %+v, %v, want %+v", text, v, err, want)
		}
	}
	if b, err := (codec.FormCodec{}).Marshal(target{ID: 1, noField: "x"}); err != nil || !strings.HasPrefix(string(b), "Hidden=&ID=1&") {
		t.Errorf("written as %s, %v: erpc v7 writes the names of the fields", b, err)
	}
}

package codec_test

import (
	"encoding/hex"
	"fmt"

	"github.com/goerpc/erpc/codec"
)

// HexCodec carries byte slices as hexadecimal digits.
type HexCodec struct{}

func (HexCodec) ID() byte     { return 'H' }
func (HexCodec) Name() string { return "hex" }

func (HexCodec) Marshal(v any) ([]byte, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, &codec.TypeError{Codec: "hex", Type: fmt.Sprintf("%T", v), Hint: "pass a []byte"}
	}
	return hex.AppendEncode(nil, b), nil
}

func (HexCodec) Unmarshal(data []byte, v any) error {
	p, ok := v.(*[]byte)
	if !ok || p == nil {
		return &codec.TypeError{Codec: "hex", Type: fmt.Sprintf("%T", v), Hint: "pass a *[]byte that is not nil"}
	}
	b, err := hex.AppendDecode(nil, data)
	*p = b
	return err
}

// A program registers its own codec once, under an id that both ends know.
func ExampleReg() {
	codec.Reg(HexCodec{})

	c, err := codec.GetByName("hex")
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := c.Marshal([]byte("erpc"))
	fmt.Printf("%c %s %v\n", c.ID(), body, err)
	// Output: H 65727063 <nil>
}

func ExampleGet() {
	_, err := codec.Get(90)
	fmt.Println(err)
	// Output: unsupported codec id: 90
}

func ExampleAppend() {
	frame, err := codec.Append([]byte("header|"), codec.JSONCodec{}, []int{1, 2, 3})
	fmt.Println(string(frame), err)
	// Output: header|[1,2,3] <nil>
}

func ExampleFormCodec() {
	type query struct {
		Text string   `form:"q"`
		Tags []string `form:"tag"`
		Page *int     `form:"page"`
	}
	body, err := codec.FormCodec{}.Marshal(query{Text: "a & b", Tags: []string{"new", "hot"}})
	fmt.Println(string(body), err)

	var got query
	err = codec.FormCodec{}.Unmarshal([]byte("q=go&page=2"), &got)
	fmt.Println(got.Text, *got.Page, err)
	// Output:
	// q=a+%26+b&tag=new&tag=hot <nil>
	// go 2 <nil>
}

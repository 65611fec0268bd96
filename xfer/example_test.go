package xfer_test

import (
	"bytes"
	"errors"
	"fmt"
	"log"

	"github.com/goerpc/erpc/xfer"
)

// A pipe lists its filters by id, outermost first. Here they were registered by
//
//	zstd.Reg('z', "zstd", 1)
//	md5.Reg('m', "md5")
func ExampleXferPipe() {
	var pipe xfer.XferPipe
	if err := pipe.Append('z', 'm'); err != nil {
		log.Fatal(err)
	}
	message := bytes.Repeat([]byte("hello "), 1000)
	packed, err := pipe.OnPack(message)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pipe.Names(), len(packed) < 100)

	plain, err := pipe.OnUnpackLimit(packed, 10_000)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(bytes.Equal(plain, message))

	_, err = pipe.OnUnpackLimit(packed, 1_000)
	fmt.Println(errors.Is(err, xfer.ErrTooLarge))
	// Output:
	// [zstd md5] true
	// true
	// true
}

// invert is a custom filter that flips all bits. Its output is never longer than
// its input, so it need not implement xfer.LimitedUnpacker.
type invert struct{}

func (invert) ID() byte     { return 'i' }
func (invert) Name() string { return "invert" }

// OnPack returns new bytes: the caller may still use src.
func (invert) OnPack(src []byte) ([]byte, error) {
	out := make([]byte, len(src))
	for i, b := range src {
		out[i] = ^b
	}
	return out, nil
}

func (f invert) OnUnpack(src []byte) ([]byte, error) { return f.OnPack(src) }

func ExampleReg() {
	xfer.Reg(invert{})

	var pipe xfer.XferPipe
	if err := pipe.Append('i'); err != nil {
		log.Fatal(err)
	}
	packed, err := pipe.OnPack([]byte("hello"))
	if err != nil {
		log.Fatal(err)
	}
	plain, err := pipe.OnUnpack(packed)
	fmt.Printf("%x %s %v\n", packed, plain, err)
	// Output: 979a939390 hello <nil>
}

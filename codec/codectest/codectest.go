// Package codectest checks that a codec keeps the contract of codec.Codec. The
// author of a codec calls [Run] from a test.
package codectest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"

	"github.com/goerpc/erpc/codec"
)

// Case is one value that a codec must carry.
type Case struct {
	Name  string
	Value any        // what is encoded
	New   func() any // makes a new pointer to decode into; for a codec.ZeroUnmarshaler, to a zero value
	Want  any        // what New's pointer must hold then; nil means Value

	// Golden is the exact encoding, if the format has only one.
	Golden []byte
	// Unordered says that equal values may have different encodings, as maps
	// in protobuf do.
	Unordered bool
	// Equal compares the decoded value, of the type that New returns, with Want.
	// Without it, both must be deeply equal after following pointers.
	Equal func(got, want any) bool
	// Bad are encodings that must fail to decode into New's value.
	Bad [][]byte
}

func (cs Case) want() any {
	if cs.Want != nil {
		return cs.Want
	}
	return cs.Value
}

func (cs Case) equal(got any) bool {
	if cs.Equal != nil {
		return cs.Equal(got, cs.want())
	}
	return reflect.DeepEqual(follow(got), follow(cs.want()))
}

// follow follows pointers to the value behind them.
func follow(v any) any {
	rv := reflect.ValueOf(v)
	for rv.Kind() == reflect.Pointer && !rv.IsNil() {
		rv = rv.Elem()
	}
	if !rv.IsValid() {
		return nil
	}
	return rv.Interface()
}

// Run checks c with each of the cases, in subtests. It fails t if c
//
//   - has an id or a name that is empty or changes,
//   - does not decode a value that it encoded, or not from its golden bytes, or not
//     into a zero value if it is a [codec.ZeroUnmarshaler],
//   - retains or changes the data it decodes, or returns a buffer that does not
//     belong to the caller,
//   - appends other bytes than it marshals, or changes the start of the buffer,
//   - panics, or accepts bad data or a nil pointer,
//   - gives other results, or a race under -race, when used concurrently.
func Run(t *testing.T, c codec.Codec, cases []Case) {
	t.Helper()
	if len(cases) == 0 {
		t.Fatal("codectest: no cases")
	}
	t.Run("identity", func(t *testing.T) { report(t, checkIdentity(c)) })
	for _, cs := range cases {
		t.Run(cs.Name, func(t *testing.T) {
			for _, ck := range checks {
				t.Run(ck.name, func(t *testing.T) { report(t, ck.check(c, cs)) })
			}
		})
	}
}

func report(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

var checks = []struct {
	name  string
	check func(codec.Codec, Case) error
}{
	{"round trip", checkRoundTrip},
	{"ownership", checkOwnership},
	{"append", checkAppend},
	{"bad input", checkBadInput},
	{"concurrent", checkConcurrent},
}

func checkIdentity(c codec.Codec) error {
	id, name := c.ID(), c.Name()
	switch {
	case id == codec.NilCodecID:
		return fmt.Errorf("id is %d, which means no codec", id)
	case name == codec.NilCodecName:
		return fmt.Errorf("the name is empty")
	case c.ID() != id:
		return fmt.Errorf("the id changed from %d to %d", id, c.ID())
	case c.Name() != name:
		return fmt.Errorf("the name changed from %q to %q", name, c.Name())
	}
	return nil
}

// guard turns a panic of f into an error.
func guard(what string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: panic: %v", what, p)
		}
	}()
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func marshal(c codec.Codec, v any) (out []byte, err error) {
	err = guard("Marshal", func() (err error) {
		out, err = c.Marshal(v)
		return err
	})
	return out, err
}

func unmarshal(c codec.Codec, data []byte, v any) error {
	return guard(fmt.Sprintf("Unmarshal of %.80q into %T", data, v), func() error { return c.Unmarshal(data, v) })
}

func checkRoundTrip(c codec.Codec, cs Case) error {
	data, err := marshal(c, cs.Value)
	if err != nil {
		return err
	}
	if cs.Golden != nil && !bytes.Equal(data, cs.Golden) {
		return fmt.Errorf("marshal gave %q, want %q", data, cs.Golden)
	}
	if !cs.Unordered {
		again, err := marshal(c, cs.Value)
		if err != nil {
			return err
		}
		if !bytes.Equal(data, again) {
			return fmt.Errorf("two encodings differ (set Case.Unordered if they may): %q and %q", data, again)
		}
	}
	got := cs.New()
	if err := unmarshal(c, data, got); err != nil {
		return err
	}
	if !cs.equal(got) {
		return fmt.Errorf("decoded %+v from %q, want %+v", follow(got), data, follow(cs.want()))
	}
	got = cs.New()
	if err := guard("UnmarshalZero", func() error { return codec.UnmarshalZero(c, data, got) }); err != nil {
		return err
	}
	if !cs.equal(got) {
		return fmt.Errorf("UnmarshalZero decoded %+v from %q, want %+v", follow(got), data, follow(cs.want()))
	}
	return nil
}

// checkOwnership overwrites every buffer that was passed between caller and codec.
func checkOwnership(c codec.Codec, cs Case) error {
	data, err := marshal(c, cs.Value)
	if err != nil {
		return err
	}
	before := bytes.Clone(data)
	got := cs.New()
	if err := unmarshal(c, data, got); err != nil {
		return err
	}
	if !bytes.Equal(data, before) {
		return fmt.Errorf("unmarshal changed its data from %q to %q", before, data)
	}
	scribble(data[:cap(data)])
	if !cs.equal(got) {
		return fmt.Errorf("the decoded value changed with the buffer it was decoded from: %+v", follow(got))
	}
	again, err := marshal(c, cs.Value)
	if err != nil {
		return err
	}
	if !cs.Unordered && !bytes.Equal(again, before) {
		return fmt.Errorf("marshal returned a buffer that is part of the value or of the codec: now it gives %q, not %q", again, before)
	}
	return nil
}

func scribble(b []byte) {
	for i := range b {
		b[i] ^= 0xa5
	}
}

func checkAppend(c codec.Codec, cs Case) error {
	data, err := marshal(c, cs.Value)
	if err != nil {
		return err
	}
	const prefix = "prefix"
	for _, room := range []int{0, 1, len(data) + 64} {
		dst := append(make([]byte, 0, len(prefix)+room), prefix...)
		var out []byte
		err := guard("Append", func() (err error) {
			out, err = codec.Append(dst, c, cs.Value)
			return err
		})
		if err != nil {
			return err
		}
		body, ok := bytes.CutPrefix(out, []byte(prefix))
		if !ok || string(dst) != prefix {
			return fmt.Errorf("append changed what stood in the buffer: %q", out)
		}
		if !cs.Unordered && !bytes.Equal(body, data) {
			return fmt.Errorf("append wrote %q, marshal %q", body, data)
		}
		got := cs.New()
		if err := unmarshal(c, body, got); err != nil {
			return err
		}
		if !cs.equal(got) {
			return fmt.Errorf("decoded %+v from what Append wrote, want %+v", follow(got), follow(cs.want()))
		}
	}
	// No format can carry a channel.
	dst := append(make([]byte, 0, 256), prefix...)
	var out []byte
	failed := false
	err = guard("Append of a channel", func() error {
		var err error
		out, err = codec.Append(dst, c, make(chan int))
		failed = err != nil
		return nil
	})
	if err == nil && failed && string(out) != prefix {
		return fmt.Errorf("a failed Append left %q in the buffer, want %q", out, prefix)
	}
	return err
}

func checkBadInput(c codec.Codec, cs Case) error {
	for _, bad := range cs.Bad {
		if err := noPanic(c, bad, cs.New()); err != nil {
			return err
		}
		if err := c.Unmarshal(bad, cs.New()); err == nil {
			return fmt.Errorf("unmarshal of %.80q gave no error", bad)
		}
	}
	data, err := marshal(c, cs.Value)
	if err != nil {
		return err
	}
	for i := range min(len(data), 512) {
		if err := noPanic(c, data[:i], cs.New()); err != nil {
			return err
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2)) // the same bytes in each run
	for range 500 {
		b := bytes.Clone(data)
		if len(b) == 0 || rnd.IntN(4) == 0 {
			b = make([]byte, rnd.IntN(64))
		}
		for range 1 + rnd.IntN(4) {
			if len(b) > 0 {
				b[rnd.IntN(len(b))] = byte(rnd.IntN(256))
			}
		}
		if err := noPanic(c, b, cs.New()); err != nil {
			return err
		}
	}
	null := reflect.Zero(reflect.TypeOf(cs.New())).Interface()
	if err := noPanic(c, data, null); err != nil {
		return err
	}
	if err := c.Unmarshal(data, null); err == nil {
		return fmt.Errorf("unmarshal into a nil %T gave no error", null)
	}
	return noPanic(c, data, nil)
}

// noPanic lets Unmarshal fail, but not panic.
func noPanic(c codec.Codec, data []byte, v any) error {
	return guard(fmt.Sprintf("Unmarshal of %.80q into %T", data, v), func() error {
		_ = c.Unmarshal(data, v) // an error is fine here
		return nil
	})
}

func checkConcurrent(c codec.Codec, cs Case) error {
	const goroutines, rounds = 8, 20
	errs := make([]error, goroutines)
	var wg sync.WaitGroup
	for i := range goroutines {
		wg.Go(func() {
			for range rounds {
				errs[i] = checkRoundTrip(c, cs)
				if errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("used by %d goroutines: %w", goroutines, err)
		}
	}
	return nil
}

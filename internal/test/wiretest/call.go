package wiretest

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/goerpc/erpc"
)

// A Call is a call and its expected result. It has no context, which would add our
// metadata to the wire.
type Call struct {
	Name     string
	Method   string
	Arg      any
	Settings []erpc.MessageSetting

	Want   any    // the result; nil for none
	Status string // query text; "" is OK
	Code   int32  // if not 0, only the code of the status is compared
	Meta   string // of the reply, query text, if Exact
	Codec  byte   // of the reply, if Exact
	Exact  bool
}

// Start sends the call.
func (c Call) Start(sess erpc.Session) *Started {
	s := &Started{Call: c}
	if c.Want != nil {
		s.result = reflect.New(reflect.TypeOf(c.Want))
		s.cmd = sess.AsyncCall(c.Method, c.Arg, s.result.Interface(), nil, c.Settings...)
	} else {
		s.cmd = sess.AsyncCall(c.Method, c.Arg, nil, nil, c.Settings...)
	}
	return s
}

// Do sends the call and returns an error if the result differs.
func (c Call) Do(sess erpc.Session) error { return c.Start(sess).End() }

// Started is a call in flight.
type Started struct {
	Call
	cmd    erpc.CallCmd
	result reflect.Value
}

// End waits for the end of the call and returns an error if the result differs.
func (s *Started) End() error {
	select {
	case <-s.cmd.Done():
	case <-time.After(Limit):
		return fmt.Errorf("no reply within %s", Limit)
	}
	want := s.Status
	if want == "" {
		want = "code=0"
	}
	if st := s.cmd.Status(); s.Code != 0 && st.Code() != s.Code {
		return fmt.Errorf("status %v, want code %d", st, s.Code)
	} else if got := string(st.AppendQuery(nil)); s.Code == 0 && got != want {
		return fmt.Errorf("status %s, want %s", got, want)
	}
	if s.Want != nil {
		if got := s.result.Elem().Interface(); !reflect.DeepEqual(got, s.Want) {
			return fmt.Errorf("result %.200q, want %.200q", fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", s.Want))
		}
	}
	if !s.Exact {
		return nil
	}
	if got := s.cmd.InputMeta().String(); got != s.Meta {
		return fmt.Errorf("metadata %q, want %q", got, s.Meta)
	}
	if got := s.cmd.InputBodyCodec(); got != s.Codec {
		return fmt.Errorf("codec %q, want %q", got, s.Codec)
	}
	return nil
}

// With returns a copy with more settings.
func (c Call) With(settings ...erpc.MessageSetting) Call {
	c.Settings = slices.Concat(c.Settings, settings)
	return c
}

// RawCall returns the call that sent the vector call of raw, with its body as
// bytes, and got reply.
func RawCall(call, reply Vector) Call {
	c := Call{
		Name: call.Name, Method: call.Fields.ServiceMethod, Arg: []byte(call.Fields.Body),
		Settings: []erpc.MessageSetting{erpc.WithBodyCodec(call.Fields.BodyCodec), erpc.WithXferPipe([]byte(call.Fields.XferIDs)...)},
		Status:   reply.Fields.Status, Meta: reply.Fields.Meta, Codec: reply.Fields.BodyCodec, Exact: true,
	}
	var meta erpc.Meta
	meta.Parse(call.Fields.Meta)
	for k, v := range meta.All {
		c.Settings = append(c.Settings, erpc.WithAddMeta(k, v))
	}
	if len(reply.Fields.Body) > 0 {
		c.Want = []byte(reply.Fields.Body)
	}
	return c
}

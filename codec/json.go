package codec

import (
	"encoding/json"
	"sync"
)

// JSONCodec encodes values as encoding/json does. A nil pointer is written as
// "null".
type JSONCodec struct{}

var _ Appender = JSONCodec{}

// ID is ID_JSON.
func (JSONCodec) ID() byte { return ID_JSON }

// Name is "json".
func (JSONCodec) Name() string { return NAME_JSON }

// Marshal returns the JSON encoding of v, without a newline behind it.
func (JSONCodec) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

// MarshalAppend appends the JSON encoding of v to dst, without a newline.
func (JSONCodec) MarshalAppend(dst []byte, v any) ([]byte, error) {
	e := jsonEncoders.Get().(*jsonEncoder)
	e.buf = dst
	err := e.enc.Encode(v)
	out := e.buf
	e.buf = nil // the buffer belongs to the caller
	jsonEncoders.Put(e)
	if err != nil {
		return dst, err
	}
	return out[:len(out)-1], nil // Encode ends with a newline
}

// Unmarshal stores the JSON value in data in the value that v points to.
func (JSONCodec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

// jsonEncoder lets encoding/json append to a buffer, which json.Marshal cannot. If
// a MarshalJSON panics, the encoder is not reused.
type jsonEncoder struct {
	enc *json.Encoder
	buf []byte
}

var jsonEncoders = sync.Pool{New: func() any {
	e := new(jsonEncoder)
	e.enc = json.NewEncoder(e)
	return e
}}

// Write implements io.Writer. It never fails, so the encoder stays usable: a
// json.Encoder keeps errors of its writer, but not those of values.
func (e *jsonEncoder) Write(p []byte) (int, error) {
	e.buf = append(e.buf, p...)
	return len(p), nil
}

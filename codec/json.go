package codec

import "encoding/json"

// JSONCodec encodes values as encoding/json does. A nil pointer is written as
// "null".
type JSONCodec struct{}

// ID is ID_JSON.
func (JSONCodec) ID() byte { return ID_JSON }

// Name is "json".
func (JSONCodec) Name() string { return NAME_JSON }

// Marshal returns the JSON encoding of v, without a newline behind it.
func (JSONCodec) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

// Unmarshal stores the JSON value in data in the value that v points to.
func (JSONCodec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

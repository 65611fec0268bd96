package codec

// These names let programs written for erpc v7 compile. New programs use the
// methods of the codecs.

// ProtoCodec is [ProtobufCodec] under the name of v7.
type ProtoCodec = ProtobufCodec

// ProtoMarshal encodes a protobuf message.
func ProtoMarshal(v any) ([]byte, error) { return ProtobufCodec{}.Marshal(v) }

// ProtoUnmarshal decodes a protobuf message into v.
func ProtoUnmarshal(data []byte, v any) error { return ProtobufCodec{}.Unmarshal(data, v) }

// Marshal encodes v with the codec of that ID.
func Marshal(id byte, v any) ([]byte, error) {
	c, err := Get(id)
	if err != nil {
		return nil, err
	}
	return c.Marshal(v)
}

// Unmarshal decodes data into v with the codec of that ID.
func Unmarshal(id byte, data []byte, v any) error {
	c, err := Get(id)
	if err != nil {
		return err
	}
	return c.Unmarshal(data, v)
}

// MarshalByName is [Marshal] with the name of the codec.
func MarshalByName(name string, v any) ([]byte, error) {
	c, err := GetByName(name)
	if err != nil {
		return nil, err
	}
	return c.Marshal(v)
}

// UnmarshalByName is [Unmarshal] with the name of the codec.
func UnmarshalByName(name string, data []byte, v any) error {
	c, err := GetByName(name)
	if err != nil {
		return err
	}
	return c.Unmarshal(data, v)
}

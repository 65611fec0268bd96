package codec

import "encoding/xml"

// XMLCodec encodes values as encoding/xml does. Without an XMLName the root
// element has the name of the Go type, so renaming a type changes the wire.
type XMLCodec struct{}

// ID is ID_XML.
func (XMLCodec) ID() byte { return ID_XML }

// Name is "xml".
func (XMLCodec) Name() string { return NAME_XML }

// Marshal returns the XML encoding of v.
func (XMLCodec) Marshal(v any) ([]byte, error) { return xml.Marshal(v) }

// Unmarshal stores the XML element in data in the value that v points to.
func (XMLCodec) Unmarshal(data []byte, v any) error { return xml.Unmarshal(data, v) }

package codec

import (
	"bytes"
	"encoding/xml"
	"reflect"
)

// XMLCodec encodes values as encoding/xml does. Without an XMLName the root
// element has the name of the Go type, so renaming a type changes the wire.
type XMLCodec struct{}

var _ Coster = XMLCodec{}

// ID is ID_XML.
func (XMLCodec) ID() byte { return ID_XML }

// Name is "xml".
func (XMLCodec) Name() string { return NAME_XML }

// Marshal returns the XML encoding of v.
func (XMLCodec) Marshal(v any) ([]byte, error) { return xml.Marshal(v) }

// Unmarshal stores the XML element in data in the value that v points to.
func (XMLCodec) Unmarshal(data []byte, v any) error { return xml.Unmarshal(data, v) }

// Costs of XML, in bytes, besides the memory of the Go value.
const (
	xmlOpen = 256 // what the decoder keeps for an element until its end
	xmlAttr = 160 // what it keeps for an attribute while it decodes the element
)

// Cost implements [Coster]. Every tag counts as an element of the largest kind
// that v can hold, and every open element as the state that the decoder keeps for
// it. Text between tags counts twice, because the decoder buffers it.
func (XMLCodec) Cost(data []byte, v any, limit int) int {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer {
		return 0 // Unmarshal refuses it
	}
	elem := ElementCost(t.Elem())
	cost := plus(times(len(data), 2), elem)
	if quick := plus(cost, times(len(data)/3, elem+xmlOpen)); quick <= limit {
		return quick
	}
	nested := deepestXML(data)
	if nested > MaxDepth { // encoding/xml checks that only for elements that it decodes
		return plus(limit, 1)
	}
	opened := bytes.Count(data, []byte("<")) - bytes.Count(data, []byte("</"))
	cost = plus(cost, times(opened, elem))
	cost = plus(cost, times(nested, xmlOpen))
	return plus(cost, times(mostAttrs(data), xmlAttr))
}

// deepestXML returns an upper bound of how deeply elements are nested: tags in
// comments and CDATA count too.
func deepestXML(data []byte) int {
	depth, deepest := 0, 0
	for {
		i := bytes.IndexByte(data, '<')
		if i < 0 || i+1 >= len(data) {
			return deepest
		}
		data = data[i+1:]
		switch data[0] {
		case '/':
			depth--
		case '!', '?':
		default:
			end := bytes.IndexByte(data, '>')
			if end < 0 || end > 0 && data[end-1] == '/' {
				continue
			}
			depth++
			deepest = max(deepest, depth)
		}
	}
}

// mostAttrs returns the largest number of attributes of a tag.
func mostAttrs(data []byte) int {
	most := 0
	for {
		i := bytes.IndexByte(data, '<')
		if i < 0 {
			return most
		}
		data = data[i+1:]
		end := bytes.IndexByte(data, '<')
		if end < 0 {
			end = len(data)
		}
		most = max(most, bytes.Count(data[:end], []byte("=")))
	}
}

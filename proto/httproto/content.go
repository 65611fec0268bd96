package httproto

import "github.com/goerpc/erpc/proto/httproto/httpgate"

// RegBodyCodec registers a content type for the codec with that ID: bodies of the
// type are decoded by the codec, and bodies of the codec are sent with the type. A
// later registration replaces an earlier one. It may be called at any time.
func RegBodyCodec(contentType string, id byte) { httpgate.RegBodyCodec(contentType, id) }

// GetBodyCodec returns the codec of a content type, or def if it has none.
func GetBodyCodec(contentType string, def byte) byte { return httpgate.GetBodyCodec(contentType, def) }

// GetContentType returns the content type of a codec, or def if it has none.
func GetContentType(id byte, def string) string { return httpgate.GetContentType(id, def) }

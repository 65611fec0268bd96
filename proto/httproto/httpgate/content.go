package httpgate

import (
	"bytes"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/goerpc/erpc/codec"
)

// contentTypes maps media types to codecs and back. Like the codecs themselves, it
// belongs to the process. It is copied on write, so that reading takes no lock.
var contentTypes = func() *typePointer {
	t := &typeTable{codecs: map[string]byte{
		"application/octet-stream": codec.ID_PLAIN, // for reading; bytes are sent as they are
		"application/xml":          codec.ID_XML,
		"application/protobuf":     codec.ID_PROTOBUF,
	}}
	t.add("application/json;charset=utf-8", codec.ID_JSON)
	t.add("application/x-protobuf;charset=utf-8", codec.ID_PROTOBUF)
	t.add("application/x-www-form-urlencoded;charset=utf-8", codec.ID_FORM)
	t.add("text/plain;charset=utf-8", codec.ID_PLAIN)
	t.add("text/xml;charset=utf-8", codec.ID_XML)
	t.add("application/x-thrift", codec.ID_THRIFT)
	p := new(typePointer)
	p.Store(t)
	return p
}()

type typePointer struct {
	atomic.Pointer[typeTable]
	mu sync.Mutex // serialises writers
}

type typeTable struct {
	codecs map[string]byte // by media type, in lower case
	types  [256]string     // by codec, with parameters
}

func (t *typeTable) add(contentType string, id byte) {
	t.codecs[strings.ToLower(mediaType(contentType))] = id
	t.types[id] = contentType
}

// RegBodyCodec registers a content type for the codec with that ID: bodies of the
// type are decoded by the codec, and bodies of the codec are sent with the type. A
// later registration replaces an earlier one. It may be called at any time.
func RegBodyCodec(contentType string, id byte) {
	contentTypes.mu.Lock()
	defer contentTypes.mu.Unlock()
	old := contentTypes.Load()
	next := &typeTable{codecs: maps.Clone(old.codecs), types: old.types}
	next.add(contentType, id)
	contentTypes.Store(next)
}

// GetBodyCodec returns the codec of a content type, or def if it has none.
func GetBodyCodec(contentType string, def byte) byte {
	if id, ok := CodecOf([]byte(contentType)); ok {
		return id
	}
	return def
}

// GetContentType returns the content type of a codec, or def if it has none.
func GetContentType(id byte, def string) string {
	if t := contentTypes.Load().types[id]; t != "" {
		return t
	}
	return def
}

// CodecOf finds the codec of a content type, whatever its parameters. An
// unregistered type with the suffix of a known syntax is decoded by the codec of
// that, and an unregistered text as plain.
func CodecOf(contentType []byte) (id byte, ok bool) {
	media, _, _ := bytes.Cut(contentType, []byte{';'})
	var lower [64]byte
	media = bytes.TrimSpace(media)
	if len(media) > len(lower) {
		return 0, false
	}
	for i, c := range media {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	media = lower[:len(media)]
	if id, ok := contentTypes.Load().codecs[string(media)]; ok {
		return id, true
	}
	switch {
	case bytes.HasSuffix(media, []byte("+json")):
		return codec.ID_JSON, true
	case bytes.HasSuffix(media, []byte("+xml")):
		return codec.ID_XML, true
	case bytes.HasPrefix(media, []byte("text/")):
		return codec.ID_PLAIN, true
	}
	return 0, false
}

// mediaType returns a content type without its parameters.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.TrimSpace(media)
}

// preferred returns the codec of the type that an Accept header prefers, if that
// is registered. Wildcards are ignored. A browser prefers HTML, whatever else it
// accepts.
func preferred(accept []byte) (id byte, ok bool) {
	best := 0.0
	for len(accept) > 0 {
		var item []byte
		item, accept, _ = bytes.Cut(accept, []byte{','})
		media, params, _ := bytes.Cut(item, []byte{';'})
		if q := quality(params); q > best {
			best = q
			id, ok = contentTypes.Load().codecs[strings.ToLower(string(bytes.TrimSpace(media)))]
		}
	}
	return id, ok
}

// quality returns the q among the parameters of an item in an Accept header.
func quality(params []byte) float64 {
	for len(params) > 0 {
		var p []byte
		p, params, _ = bytes.Cut(params, []byte{';'})
		k, v, _ := bytes.Cut(bytes.TrimSpace(p), []byte{'='})
		if bytes.EqualFold(k, []byte("q")) {
			q, err := strconv.ParseFloat(string(v), 64)
			if err != nil {
				return 0
			}
			return q
		}
	}
	return 1
}

// acceptsGzip reports whether an Accept-Encoding header accepts gzip or *. The
// item for gzip takes precedence over the one for *.
func acceptsGzip(list string) bool {
	all := false
	for item := range strings.SplitSeq(list, ",") {
		coding, params, _ := strings.Cut(item, ";")
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			return quality([]byte(params)) > 0
		case "*":
			all = quality([]byte(params)) > 0
		}
	}
	return all
}

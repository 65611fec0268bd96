package session

import "reflect"

// A StreamType is the type of a [TypedStream] that is known only at run time:
// routers find it in the signature of a method.
type StreamType struct {
	In, Out reflect.Type
	elem    reflect.Type // the typed stream itself
}

// typedStream is implemented by each *TypedStream.
type typedStream interface {
	bind(RawStream)
	types() (in, out reflect.Type)
}

func (s *TypedStream[In, Out]) bind(raw RawStream) { s.raw = raw }

func (*TypedStream[In, Out]) types() (in, out reflect.Type) {
	return reflect.TypeFor[In](), reflect.TypeFor[Out]()
}

// StreamTypeOf returns the stream type of typ, a pointer to a [TypedStream]. It
// reports false for any other type.
func StreamTypeOf(typ reflect.Type) (StreamType, bool) {
	if typ.Kind() != reflect.Pointer || typ.Elem().Kind() != reflect.Struct {
		return StreamType{}, false
	}
	s, ok := reflect.Zero(typ).Interface().(typedStream)
	if !ok || typ.Elem().PkgPath() != reflect.TypeFor[StreamType]().PkgPath() { // a struct that embeds one has its methods, too
		return StreamType{}, false
	}
	in, out := s.types()
	return StreamType{In: in, Out: out, elem: typ.Elem()}, true
}

// New returns a stream of the type, built on raw. Its dynamic type is the one
// given to [StreamTypeOf].
func (t StreamType) New(raw RawStream) any {
	s := reflect.New(t.elem).Interface().(typedStream)
	s.bind(raw)
	return s
}

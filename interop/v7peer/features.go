package main

// feature is something that v7 can do over some of its protocols only. Checks
// name what they need, so that those which v7 fails against itself are left out.
type feature uint

const (
	// anyBody: methods take values other than thrift structs.
	anyBody feature = 1 << iota
	// status: a REPLY carries its status.
	status
	// push: PUSH messages.
	push
	// backslash: a body may hold backslashes and line ends.
	backslash
	// anyByte: a body may hold any bytes.
	anyByte
	// gzipFilter and md5Filter: the transfer filters.
	gzipFilter
	md5Filter
	// codecs: body codecs besides JSON.
	codecs
	// thriftCodec: the thrift body codec.
	thriftCodec
	// codecByte: the codec travels as its id, so that an unknown one can.
	codecByte
	// direct: the server at the other end is the one that serves the methods.
	direct
	// metaExact: metadata keeps its duplicates and the case of its names.
	metaExact
	// The rest are asked for with flags.
	nestedCall
	authToken
	heartbeatPing
	securePlugin
	// thriftMethods: the Home.* methods of the thrift vectors.
	thriftMethods
)

const everything = anyBody | status | push | backslash | anyByte | gzipFilter | md5Filter |
	codecs | thriftCodec | codecByte | direct | metaExact

func featuresOf(o *options) feature {
	f := everything
	switch o.wire() {
	case "json":
		// jsonproto escapes nothing in a body but quotes, so that backslashes and
		// control bytes do not survive. Filters run over the whole JSON text.
		f &^= backslash | anyByte | thriftCodec
	case "thrift-binary":
		f |= thriftMethods
	case "thrift-struct":
		// No filters, no codec but thrift, and an error REPLY is not readable:
		// the client waits forever.
		f = push | direct | thriftMethods
	case "http":
		// No PUSH, gzip only, and the codec travels as a content type: thrift has
		// none. Metadata are headers, of which v7 reads the last of each name, and
		// X-Real-IP arrives as X-Real-Ip, which v7 does not know.
		f &^= push | md5Filter | thriftCodec | codecByte | metaExact
	case "websocket-json":
		// No status in the sub-protocol. Bodies are escaped as in jsonproto, and
		// filters run over the body alone, which makes it any bytes.
		f &^= status | backslash | anyByte | thriftCodec | gzipFilter | md5Filter
	case "websocket-pb":
		f &^= status
	}
	if o.proxy != "" {
		// v7's proxy always says JSON to its backend, folds duplicate metadata
		// of a reply, and a push of the backend ends at the proxy.
		f &^= codecs | thriftCodec | codecByte | direct | metaExact | thriftMethods
	}
	for _, extra := range []struct {
		on bool
		f  feature
	}{
		{o.nested, nestedCall},
		{o.auth != "", authToken},
		{o.heartbeat != "", heartbeatPing},
		{o.secure != "", securePlugin},
	} {
		if extra.on {
			f |= extra.f
		}
	}
	return f
}

package session

import (
	"fmt"
	"strings"

	"github.com/goerpc/erpc/message"
)

// maxNamed is how much of an unknown method an error repeats, in bytes.
const maxNamed = 128

// notFound is the status of a CALL, or a PUSH if call is false, that has no handler in
// routes. As in v7 it has no cause, unless the method exists for another kind of message.
// The caller's side adds the method to it ([nameMissing]).
func notFound(routes Routes, call bool, method string) *message.Status {
	other, _ := routes.Dispatch(!call, method)
	if other == nil || other.IsUnknown() {
		other, _ = routes.DispatchStream(method)
	}
	if other == nil || other.IsUnknown() {
		return newStatus(message.CodeNotFound, "")
	}
	kind := RoutePush
	if call {
		kind = RouteCall
	}
	return newStatus(message.CodeNotFound, fmt.Sprintf("no handler of a %s for %q, only one of a %s", kind, clip(method), other.RouterTypeName()))
}

// nameMissing gives the status of a call that found no handler a cause that
// names the method, if the other side sent none.
func nameMissing(st *message.Status, method string) *message.Status {
	if st.Code() != message.CodeNotFound || st.Msg() != message.CodeText(message.CodeNotFound) ||
		st.Cause() != nil && st.Cause().Error() != "" {
		return st
	}
	return st.Copy(fmt.Sprintf("the other side has no handler of a CALL for %q", clip(method)))
}

// clip cuts a method to a length that fits into an error.
func clip(method string) string {
	if len(method) <= maxNamed {
		return method
	}
	return strings.ToValidUTF8(method[:maxNamed], "") + "…"
}

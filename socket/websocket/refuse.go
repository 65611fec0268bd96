package websocket

import (
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// RefusedProtocol is a sub-protocol of WebSocket that a client offers to learn why it
// is refused: a page can't see the answer to a handshake. The server chooses it only
// to refuse.
const RefusedProtocol = "erpc.refused"

// maxReason is how long the text of a close frame may be, in bytes.
const maxReason = 123

// Refuse refuses a request whose client has offered [RefusedProtocol]: it upgrades
// the request and closes the connection with 4000 + code and the reason. It reports
// false, without an answer, if the client has not offered it or code is not 400 to
// 999.
func Refuse(w http.ResponseWriter, r *http.Request, code int, reason string) bool {
	if code < 400 || code > 999 || !offersRefused(r) {
		return false
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true, Subprotocols: []string{RefusedProtocol}})
	if err != nil {
		return true // Accept has answered
	}
	_ = ws.Close(websocket.StatusCode(statusBase+code), cutReason(reason)) // the client may be gone
	return true
}

func offersRefused(r *http.Request) bool {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(p) == RefusedProtocol {
				return true
			}
		}
	}
	return false
}

package httproto_test

import (
	"testing"

	"github.com/goerpc/erpc/internal/test/wait"
	"github.com/goerpc/erpc/internal/test/wiretest"
	"github.com/goerpc/erpc/message"
	"github.com/goerpc/erpc/proto/httproto"
	"github.com/goerpc/erpc/proto/prototest"
)

func TestMain(m *testing.M) {
	wiretest.Filters()
	wait.Main(m)
}

// TestConformance tests messages between erpc peers. In HTTP a reply has no
// method, a request no status, and a message with a status no body. Metadata is
// sorted by key, as in v7.
func TestConformance(t *testing.T) {
	prototest.Run(t, httproto.NewHTTProtoFunc(), prototest.Options{
		Filters: []byte("gm"),
		Methods: []string{"/math/add", "/", "/ä b/", "/a+b;c=d&e/~x", "Home.Test"},
		Statuses: []*message.Status{
			nil, message.NewStatus(1001, "bad thing", "cause & x=1 100%"), message.NewStatus(-1, ""), message.NewStatus(404, "Not Found"),
			message.NewStatus(1, "\"\\\x00é", "\r\n<>"),
		},
		Codecs: []byte("jpfsxt"),
		Meta: [][]string{
			nil, {"Author", "andeya"}, {"Empty", "", "K", "v1", "K", "v2"}, {"hb_", "3", "X-Real-IP", "1.2.3.4:5"},
			{"Odd", "a\t \"b\" :,;=%2F", "Utf", "é\xff"},
		},
		Normalize: func(m *message.Message) {
			switch m.Mtype() {
			case message.TypeReply, message.TypeAuthReply:
				m.SetServiceMethod("")
				if !m.StatusOK() {
					m.SetBodyCodec(0)
					m.SetRaw(nil)
				}
				if st := m.Status(); st != nil && st.Cause() == nil { // "" in JSON
					m.SetStatus(st.Copy(nil))
				}
			default:
				m.SetStatus(nil)
				if m.Mtype() == message.TypeAuthCall && m.ServiceMethod() == "/" {
					m.SetServiceMethod("")
				}
			}
		},
		Hostile: [][]byte{
			[]byte("POST / HTTP/1.1\r\nX-Mtype: 1\r\nX-Seq: 1\r\nContent-Length: 4000000000\r\n\r\nx"),
			[]byte("POST / HTTP/1.1\r\nX-Mtype: 1\r\nX-Seq: 1\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\nx"),
			[]byte("POST / HTTP/1.1\r\nX-Mtype: 1\r\nX-Seq: 1\r\nTransfer-Encoding: chunked\r\n\r\n1000000\r\nx"),
			[]byte("HTTP/1.1 200 OK\r\nX-Mtype: 2\r\nX-Seq: 1\r\nContent-Length: 60000000\r\n\r\nx"),
		},
	})
}

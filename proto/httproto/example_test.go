package httproto_test

import (
	"fmt"
	"html/template"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/proto/httproto"
)

// Shop is a controller that serves erpc peers and browsers alike.
type Shop struct{ erpc.CallCtx }

// An Order is sent as JSON, XML, a form or a query.
type Order struct {
	Item  string `json:"item" form:"item"`
	Count int    `json:"count" form:"count"`
}

// Price returns what an order costs.
func (*Shop) Price(o *Order) (int, *erpc.Status) { return 3 * o.Count, nil }

var page = template.Must(template.New("page").Parse("<h1>{{.}}</h1>"))

// Page shows a page.
func (s *Shop) Page(*struct{}) ([]byte, *erpc.Status) { return httproto.HTML(s, page, "Tea & more") }

// A server that any HTTP client can call.
func ExampleNewHTTProtoFunc() {
	srv := erpc.NewPeer(erpc.PeerConfig{LocalIP: "127.0.0.1", ProtoFunc: httproto.NewHTTProtoFunc()})
	defer srv.Close()
	srv.RouteCall(new(Shop), erpc.Safe()) // GET may call it: it changes nothing
	lis, err := srv.Listen()
	if err != nil {
		log.Fatal(err)
	}
	go srv.Serve(lis)
	url := "http://" + lis.Addr().String()

	show := func(res *http.Response, err error) {
		if err != nil {
			log.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(res.StatusCode, res.Header.Get("Content-Type"), string(b))
	}
	client := &http.Client{Transport: new(http.Transport)}
	defer client.CloseIdleConnections()
	show(client.Post(url+"/shop/price", "application/json", strings.NewReader(`{"item":"tea","count":2}`)))
	show(client.Get(url + "/shop/price?item=tea&count=3"))
	show(client.Get(url + "/shop/page"))
	show(client.Get(url + "/shop/nothing"))

	cli := erpc.NewPeer(erpc.PeerConfig{ProtoFunc: httproto.NewHTTProtoFunc()})
	defer cli.Close()
	sess, st := cli.Dial(lis.Addr().String())
	if !st.OK() {
		log.Fatal(st)
	}
	var price int
	st = sess.Call("/shop/price", Order{Item: "tea", Count: 4}, &price).Status()
	fmt.Println(price, st)
	// Output:
	// 200 application/json;charset=utf-8 6
	// 200 application/json;charset=utf-8 9
	// 200 text/html; charset=utf-8 <h1>Tea &amp; more</h1>
	// 404 application/json {"code":404,"msg":"Not Found","cause":""}
	// 12 code=0
}

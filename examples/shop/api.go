package main

import "github.com/goerpc/erpc"

// What the services offer each other. Both ends use these variables, so the
// compiler keeps them together.
var (
	placeOrder = erpc.Method[Place, Order]{Name: "/orders/place"}
	findOrder  = erpc.Method[OrderID, Order]{Name: "/orders/find"}

	reserveItems = erpc.Method[Reserve, Reservation]{Name: "/stock/reserve"}
	releaseItems = erpc.Method[OrderID, struct{}]{Name: "/stock/release"}

	chargeCustomer = erpc.Method[Charge, Receipt]{Name: "/payment/charge"}
)

// Codes of the shop's statuses.
const (
	codeBadOrder     = 1001
	codeUnknownOrder = 1002
	codeOtherOrder   = 1003
	codeSoldOut      = 1004
	codeDeclined     = 1005
)

// An OrderID is chosen by the customer. It makes every step of an order
// idempotent: a caller that does not know whether a step was done repeats it.
type OrderID struct {
	ID string `json:"id" form:"id"` // a form is what parameters of a path come as
}

// Place is the argument of placeOrder. To ask again for an order that was placed
// is to ask what became of it.
type Place struct {
	ID       string `json:"id"`
	Customer string `json:"customer"`
	Item     string `json:"item"`
	Count    int    `json:"count"`
}

// An Order is what the customer gets to see of one.
type Order struct {
	Place
	State  string `json:"state"`            // that of an orderState
	Reason string `json:"reason,omitempty"` // why it was refused
	Cents  int64  `json:"cents,omitempty"`  // price of the whole order
}

// Reserve asks the stock to keep items for an order.
type Reserve struct {
	ID    string `json:"id"`
	Item  string `json:"item"`
	Count int    `json:"count"`
}

// A Reservation says what the reserved items cost together.
type Reservation struct {
	Cents int64 `json:"cents"`
}

// Charge asks for the money of an order.
type Charge struct {
	ID       string `json:"id"`
	Customer string `json:"customer"`
	Cents    int64  `json:"cents"`
}

// A Receipt numbers the payments.
type Receipt struct {
	Number int `json:"number"`
}

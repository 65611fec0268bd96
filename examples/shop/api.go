package main

import "github.com/goerpc/erpc"

// The methods of the services. Both ends use these variables, so the compiler
// checks that their types agree.
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
// idempotent: a caller that does not know whether a step was executed repeats
// it.
type OrderID struct {
	ID string `json:"id" form:"id"` // path parameters are decoded as a form
}

// Place is the argument of placeOrder. Placing the same order again returns its
// current state.
type Place struct {
	ID       string `json:"id"`
	Customer string `json:"customer"`
	Item     string `json:"item"`
	Count    int    `json:"count"`
}

// An Order is an order as the customer sees it.
type Order struct {
	Place
	State  string `json:"state"`            // name of an orderState
	Reason string `json:"reason,omitempty"` // why it was refused
	Cents  int64  `json:"cents,omitempty"`  // price of the whole order
}

// Reserve asks the stock to reserve items for an order.
type Reserve struct {
	ID    string `json:"id"`
	Item  string `json:"item"`
	Count int    `json:"count"`
}

// A Reservation has the total price of the reserved items.
type Reservation struct {
	Cents int64 `json:"cents"`
}

// Charge asks for the payment of an order.
type Charge struct {
	ID       string `json:"id"`
	Customer string `json:"customer"`
	Cents    int64  `json:"cents"`
}

// A Receipt has the number of a payment.
type Receipt struct {
	Number int `json:"number"`
}

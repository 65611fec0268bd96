package main

import "slices"

// An orderState is how far an order has got.
type orderState int

const (
	orderNew       orderState = iota
	orderReserved             // the stock keeps the items
	orderReleasing            // the payment was declined; the items go back
	orderPaid
	orderRefused
)

var orderStateNames = [...]string{"new", "reserved", "releasing", "paid", "refused"}

// String returns the name of the state.
func (s orderState) String() string { return orderStateNames[s] }

// orderMoves is the table of transitions.
var orderMoves = map[orderState][]orderState{
	orderNew:       {orderReserved, orderRefused},
	orderReserved:  {orderPaid, orderReleasing},
	orderReleasing: {orderRefused},
}

// may reports whether s may be followed by next.
func (s orderState) may(next orderState) bool { return slices.Contains(orderMoves[s], next) }

// settled reports whether nothing follows s.
func (s orderState) settled() bool { return len(orderMoves[s]) == 0 }

package main

import "slices"

// An orderState is the state of an order.
type orderState int

const (
	orderNew       orderState = iota
	orderReserved             // the stock has reserved the items
	orderReleasing            // the payment was declined; the items are released
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

// may reports whether next may follow s.
func (s orderState) may(next orderState) bool { return slices.Contains(orderMoves[s], next) }

// settled reports whether s is a final state.
func (s orderState) settled() bool { return len(orderMoves[s]) == 0 }

package main

import (
	"errors"
	"time"

	"github.com/goerpc/erpc"
	"github.com/goerpc/erpc/plugin/overloader"
	"github.com/goerpc/erpc/plugin/retry"
)

// Config is the content of shop.yaml, with a section for each service.
// SetDefaults sets the values of keys that a section leaves out.
type Config struct {
	Gateway GatewayConfig `yaml:"gateway" ini:"gateway"`
	Orders  OrdersConfig  `yaml:"orders" ini:"orders"`
	Stock   StockConfig   `yaml:"stock" ini:"stock"`
	Payment PaymentConfig `yaml:"payment" ini:"payment"`
}

// GatewayConfig configures the service for customers.
type GatewayConfig struct {
	HTTP   string          `yaml:"http" ini:"http" comment:"Address for customers"`
	Orders string          `yaml:"orders" ini:"orders" comment:"Address of the service orders"`
	Peer   erpc.PeerConfig `yaml:"peer" ini:"peer" comment:"default_context_age is the time of a request"`
	Retry  retry.Config    `yaml:"retry" ini:"retry" comment:"Calls that orders has refused unexecuted"`
}

// OrdersConfig configures the service that processes orders.
type OrdersConfig struct {
	Peer      erpc.PeerConfig        `yaml:"peer" ini:"peer"`
	Overload  overloader.LimitConfig `yaml:"overload" ini:"overload"`
	Stock     string                 `yaml:"stock" ini:"stock" comment:"Address of the service stock"`
	Payment   string                 `yaml:"payment" ini:"payment" comment:"Address of the service payment"`
	Retry     retry.Config           `yaml:"retry" ini:"retry" comment:"Calls that stock or payment has refused unexecuted"`
	MaxOrders int                    `yaml:"max_orders" ini:"max_orders" comment:"Orders that are kept; more are refused"`
	Settle    time.Duration          `yaml:"settle" ini:"settle" comment:"How often orders that got stuck half-way are taken up again"`
}

// StockConfig configures the service that has the items.
type StockConfig struct {
	Peer     erpc.PeerConfig        `yaml:"peer" ini:"peer"`
	Overload overloader.LimitConfig `yaml:"overload" ini:"overload"`
	Items    []ItemConfig           `yaml:"items" ini:"items"`
}

// An ItemConfig describes the initial stock of one item.
type ItemConfig struct {
	Name  string `yaml:"name" ini:"name"`
	Count int    `yaml:"count" ini:"count"`
	Cents int64  `yaml:"cents" ini:"cents" comment:"Price of one"`
}

// PaymentConfig configures the service that takes payments.
type PaymentConfig struct {
	Peer     erpc.PeerConfig        `yaml:"peer" ini:"peer"`
	Overload overloader.LimitConfig `yaml:"overload" ini:"overload"`
	MaxCents int64                  `yaml:"max_cents" ini:"max_cents" comment:"What a customer may spend altogether"`
}

// SetDefaults is called before the file is read.
func (c *Config) SetDefaults() {
	for _, p := range []*erpc.PeerConfig{&c.Gateway.Peer, &c.Orders.Peer, &c.Stock.Peer, &c.Payment.Peer} {
		p.SetDefaults()
		p.RedialTimes = -1 // reconnect to services that restart
	}
	c.Gateway.Peer.DefaultContextAge = 3 * time.Second
	c.Orders.MaxOrders = 100_000
	c.Orders.Settle = 5 * time.Second
}

// Validate is called after the file was read.
func (c *Config) Validate() error {
	switch {
	case c.Gateway.Peer.DefaultContextAge <= 0:
		return errors.New("gateway.peer.default_context_age must be above 0, so that a request can't hang")
	case c.Orders.MaxOrders <= 0 || c.Orders.Settle <= 0:
		return errors.New("orders: max_orders and settle must be above 0")
	}
	return errors.Join(
		c.Gateway.Retry.Validate(), c.Orders.Retry.Validate(),
		c.Orders.Overload.Validate(), c.Stock.Overload.Validate(), c.Payment.Overload.Validate())
}

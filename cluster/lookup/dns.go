package lookup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// LookupNet is the part of *net.Resolver that DNS uses.
type LookupNet interface {
	LookupHost(ctx context.Context, host string) ([]string, error)
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
}

// DNS is a resolver that uses DNS. With a Port, it returns all addresses of
// Host, for example of a headless service in Kubernetes. Without one, it
// returns the SRV records of Host, such as "_chat._tcp.example.com", with the
// lowest priority value, with their weights.
type DNS struct {
	Host  string
	Port  int
	Every time.Duration // time between two queries; 0 means 10 s
	Via   LookupNet     // nil means net.DefaultResolver
}

// Resolve implements [Resolver]. A name that does not exist is an error, so
// that an operator's mistake does not take all servers away from their clients.
func (d DNS) Resolve(ctx context.Context) (Set, error) {
	if d.Via == nil {
		d.Via = net.DefaultResolver
	}
	s := Set{Again: d.Every}
	if s.Again <= 0 {
		s.Again = 10 * time.Second
	}
	var err error
	if d.Port > 0 {
		s.Instances, err = d.hosts(ctx)
	} else {
		s.Instances, err = d.srv(ctx)
	}
	if err != nil {
		return Set{}, fmt.Errorf("lookup: %w", err)
	}
	return s, nil
}

func (d DNS) hosts(ctx context.Context) (all []Instance, err error) {
	addrs, err := d.Via.LookupHost(ctx, d.Host)
	for _, a := range addrs {
		all = append(all, Instance{Address: net.JoinHostPort(a, strconv.Itoa(d.Port))})
	}
	return all, err
}

var errNoSRV = errors.New("there are no SRV records")

func (d DNS) srv(ctx context.Context) (all []Instance, err error) {
	_, records, err := d.Via.LookupSRV(ctx, "", "", d.Host)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, fmt.Errorf("%s: %w", d.Host, errNoSRV)
	}
	best := records[0].Priority
	for _, r := range records {
		best = min(best, r.Priority)
	}
	for _, r := range records {
		if r.Priority == best {
			host := strings.TrimSuffix(r.Target, ".")
			all = append(all, Instance{Address: net.JoinHostPort(host, strconv.Itoa(int(r.Port))), Weight: int(r.Weight)})
		}
	}
	return all, nil
}

package lookup

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/goerpc/erpc/cluster"
)

func TestFileNamesInstances(t *testing.T) {
	path := filepath.Join(t.TempDir(), "instances.json")
	f := File{Path: path}
	for text, want := range map[string][]Instance{
		`[{"address":"a:1"},{"address":"b:1","weight":3,"zone":"z","draining":true}]`: {{Address: "a:1"}, {"b:1", 3, "z", true}},
		`[]`:               {},
		`[{"address":"a:1`: nil,
		`[{"weight":1}]`:   nil,
		`{}`:               nil,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := f.Resolve(t.Context())
		if (err == nil) != (want != nil) || !reflect.DeepEqual(s.Instances, want) || err == nil && s.Again != 5*time.Second {
			t.Errorf("%s: %+v, %v, want %+v", text, s, err, want)
		}
	}
	if _, err := (File{Path: path + "x"}).Resolve(t.Context()); err == nil {
		t.Error("a file that is not there names instances")
	}
}

// names answers queries for names.
type names struct {
	hosts []string
	srv   []*net.SRV
	err   error
	asked string
}

func (n *names) LookupHost(_ context.Context, host string) ([]string, error) {
	n.asked = host
	return n.hosts, n.err
}

func (n *names) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	n.asked = service + proto + name
	return name, n.srv, n.err
}

func TestDNSNamesInstances(t *testing.T) {
	failed := errors.New("no such host")
	for name, c := range map[string]struct {
		dns  DNS
		via  names
		want []Instance
	}{
		"addresses": {DNS{Port: 90}, names{hosts: []string{"10.0.0.1", "fe80::1"}}, []Instance{{Address: "10.0.0.1:90"}, {Address: "[fe80::1]:90"}}},
		"services": {DNS{}, names{srv: []*net.SRV{
			{Target: "b.", Port: 2, Priority: 7, Weight: 1}, {Target: "a.", Port: 1, Priority: 3, Weight: 5}, {Target: "c.", Port: 3, Priority: 3},
		}}, []Instance{{Address: "a:1", Weight: 5}, {Address: "c:3"}}},
		"no host":    {DNS{Port: 90}, names{err: failed}, nil},
		"no service": {DNS{}, names{err: failed}, nil},
		"no record":  {DNS{}, names{}, nil},
	} {
		c.dns.Host, c.dns.Via = "chat.internal", &c.via
		s, err := c.dns.Resolve(t.Context())
		if (err == nil) != (c.want != nil) || !reflect.DeepEqual(s.Instances, c.want) || c.via.asked != "chat.internal" {
			t.Errorf("%s: %+v, %v, want %+v", name, s, err, c.want)
		}
		if err == nil && s.Again != 10*time.Second {
			t.Errorf("%s: again after %v", name, s.Again)
		}
	}
}

// announced are services as a cluster has them.
type announced struct{ changed chan struct{} }

func (a announced) ServicesChanged() <-chan struct{} { return a.changed }
func (a announced) Services(name string) []cluster.Service {
	return []cluster.Service{{Name: name, Address: name + ":1", Weight: 2, Zone: "z", Draining: true, Node: "n"}}
}

func TestDirectoryNamesInstances(t *testing.T) {
	a := announced{make(chan struct{})}
	s, err := Directory{From: a, Name: "chat"}.Resolve(t.Context())
	want := []Instance{{"chat:1", 2, "z", true}}
	if err != nil || !reflect.DeepEqual(s.Instances, want) || s.Changed != (<-chan struct{})(a.changed) {
		t.Errorf("%+v, %v, want %+v", s, err, want)
	}
	var _ Services = (*cluster.Cluster)(nil)
	var _ Services = (*cluster.Observer)(nil)
}

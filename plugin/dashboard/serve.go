package dashboard

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Addr returns the address that the dashboard serves itself on; nil before it does.
func (d *Dashboard) Addr() net.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.addr
}

// retryListen is how long serve waits for an address that another process has, such
// as the one that this process is about to replace.
const retryListen = time.Second

// serve serves the dashboard on its own address until the peer is closed. A
// dashboard that can't must not keep the peer from its work, so it tries again.
func (d *Dashboard) serve(ended <-chan struct{}) {
	said := false
	for {
		lis, err := net.Listen("tcp", d.cfg.Listen)
		if err == nil {
			d.serveOn(lis, ended)
			return
		}
		if !said {
			d.log().Warn("dashboard: can't listen, and goes on trying", "address", d.cfg.Listen, "err", err)
			said = true
		}
		select {
		case <-time.After(retryListen):
		case <-ended:
			return
		}
	}
}

func (d *Dashboard) serveOn(lis net.Listener, ended <-chan struct{}) {
	server := &http.Server{
		Handler: d, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(d.log().Handler(), slog.LevelDebug),
	}
	d.mu.Lock()
	d.addr = lis.Addr()
	d.mu.Unlock()
	d.log().Info("dashboard: serving", "address", "http://"+lis.Addr().String()+"/")
	go func() {
		<-ended
		_ = server.Close() // what it returns is of listeners that are gone
	}()
	if err := server.Serve(lis); !errors.Is(err, http.ErrServerClosed) {
		d.log().Error("dashboard: no longer serving", "err", err)
	}
}

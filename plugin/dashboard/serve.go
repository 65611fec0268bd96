package dashboard

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Addr returns the address that the dashboard listens on, or nil before it
// listens.
func (d *Dashboard) Addr() net.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.addr
}

// retryListen is how long serve waits before it tries again to listen on an
// address in use, for example by the process that this one is about to replace.
const retryListen = time.Second

// serve serves the dashboard on its own address until the peer is closed. A
// failure to listen must not stop the peer, so serve keeps trying.
func (d *Dashboard) serve(ended <-chan struct{}) {
	said := false
	for {
		lis, err := net.Listen("tcp", d.cfg.Listen)
		if err == nil {
			d.serveOn(lis, ended)
			return
		}
		if !said {
			d.log().Warn("dashboard: can't listen; trying again", "address", d.cfg.Listen, "err", err)
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
		_ = server.Close() // its error only concerns closed listeners
	}()
	if err := server.Serve(lis); !errors.Is(err, http.ErrServerClosed) {
		d.log().Error("dashboard: no longer serving", "err", err)
	}
}

package dashboard

import (
	"net/http"
	"time"

	"github.com/goerpc/erpc"
)

const (
	// maxGoAway bounds how long the last calls of a session may take after GOAWAY.
	maxGoAway = 30 * time.Second
	// lookAgain is how often leave checks such a session.
	lookAgain = 20 * time.Millisecond
)

// A drainer can be asked to go away: it accepts no more calls, and the other
// side sends them over another connection if it can. The method is called
// repeatedly until quiet, which reports that nothing more is expected. Sessions
// of erpc are drainers.
type drainer interface {
	Drain() (idle, quiet bool)
}

// goaway ends a session gracefully.
func (d *Dashboard) goaway(r *http.Request) (any, error) {
	var arg struct {
		Key string `json:"key"`
	}
	if err := decode(r, &arg); err != nil {
		return nil, err
	}
	sess, err := d.find(arg.Key)
	if err != nil {
		return nil, err
	}
	leaver, ok := sess.(drainer)
	if !ok {
		return nil, refusal{http.StatusNotImplemented, "the session does not support GOAWAY; end it instead"}
	}
	if _, already := d.leaving.LoadOrStore(sess.Swap(), true); already {
		return fine, nil
	}
	d.say(r, "session goes away", "session", sess.ID())
	go func() {
		defer d.leaving.Delete(sess.Swap())
		leave(sess, leaver)
	}()
	return fine, nil
}

// leave waits until the last calls of a session have ended, then ends the
// session.
func leave(sess erpc.Session, leaver drainer) {
	end := time.NewTimer(maxGoAway)
	defer end.Stop()
	look := time.NewTicker(lookAgain)
	defer look.Stop()
	for {
		if _, quiet := leaver.Drain(); quiet {
			break
		}
		select {
		case <-look.C:
			continue
		case <-end.C:
		case <-sess.CloseNotify():
			return
		}
		break
	}
	endWith(sess, erpc.CodeShuttingDown, "the peer has asked to go away", true)
}

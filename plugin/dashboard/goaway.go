package dashboard

import (
	"net/http"
	"time"

	"github.com/goerpc/erpc"
)

const (
	// maxGoAway is how long the last calls of a session that was told to go away may
	// take.
	maxGoAway = 30 * time.Second
	// lookAgain is how often such a session is looked at.
	lookAgain = 20 * time.Millisecond
)

// A drainer can be told to go away: it takes no more calls, and the other side sends
// them over another connection if it can. It is told again and again; quiet reports
// that nothing more is expected. Sessions of erpc are drainers.
type drainer interface {
	Drain() (idle, quiet bool)
}

// goaway lets a session end in good order.
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
		return nil, refusal{http.StatusNotImplemented, "the session can only be ended"}
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

// leave waits for the last call of a session, and ends it.
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

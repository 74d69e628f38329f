package join

import (
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// upstreams ties a connection from which nothing came back to the one that a thread had accepted, whose request waited
// when it opened that one, where it then answered with a gateway's error, or closed without an answer. Where several
// waited it is tied to none.
func (l *linker) upstreams() {
	waiting := map[int]*waitList{}
	opened := map[int][]upstream{} // by accepted connection
	for _, c := range l.res.Calls {
		lc := l.byID[c.Connection]
		if lc == nil {
			continue
		}
		w := waiting[c.TID]
		if w == nil {
			w = &waitList{received: map[int]*analyze.Call{}, accepted: map[int]*analyze.Call{}}
			waiting[c.TID] = w
		}
		switch kind := c.Kind(); {
		case kind == event.AcceptCall && c.Errno == "":
			w.accepted[c.Connection] = c
		case c.Side == analyze.Server && kind == event.RecvCall && c.Ret > 0 && !c.Peek:
			w.received[c.Connection] = c
		case c.Side == analyze.Server && (kind == event.SendCall && c.Ret > 0 || kind == event.CloseCall):
			delete(w.received, c.Connection)
			delete(w.accepted, c.Connection)
			if kind == event.CloseCall || c.Text == "" || isGatewayError(c.Text) {
				l.tieUpstreams(c, opened[c.Connection])
			}
			delete(opened, c.Connection)
		case c.Side == analyze.Client && kind == event.ConnectCall && !c.IsDisconnect() && lc.Bytes.Server == 0:
			if front := w.only(); front != nil && !l.talksTo(front.Connection, c.TID) {
				opened[front.Connection] = append(opened[front.Connection], upstream{front, c})
			}
		}
	}
}

// waitList are the connections of a thread that wait for an answer, each with the last call that received, or accepted it.
type waitList struct{ received, accepted map[int]*analyze.Call }

// only returns the one call that received, or where none did the one that accepted; nil where several did.
func (w *waitList) only() *analyze.Call {
	some := w.received
	if len(some) == 0 {
		some = w.accepted
	}
	if len(some) == 1 {
		for _, c := range some {
			return c
		}
	}
	return nil
}

// upstream is a connect() that was made while what another call had received, or accepted, waited.
type upstream struct{ waits, connect *analyze.Call }

// tieUpstreams ties to the connection of answer, which is a call that ended the waiting, those that had ended by then.
// Where it does not show what it sent, that is for last words to tell.
func (l *linker) tieUpstreams(answer *analyze.Call, all []upstream) {
	front := l.byID[answer.Connection]
	for _, u := range all {
		back := l.byID[u.connect.Connection]
		if back.Relay != nil || front.Relay != nil && front.Relay.Same != analyze.NothingBack || !endedBy(back.Connection, answer.Start) {
			continue
		}
		r := analyze.Relay{PID: answer.PID, Actor: answer.Actor, Received: u.waits.ID, Sent: u.connect.ID, Same: analyze.NothingBack, Confidence: analyze.Inferred}
		if answer.Kind() == event.SendCall && answer.Text == "" {
			legs := [2]analyze.Relay{l.leg(front.ID, back.ID, r, analyze.Server), l.leg(back.ID, front.ID, r, analyze.Client)}
			l.res.MayRelay = append(l.res.MayRelay, analyze.MayRelay{Front: front.ID, Back: back.ID, Relays: legs, Frames: answer.Caused})
			continue
		}
		l.tie(front.ID, back.ID, r, analyze.Server)
		l.tie(back.ID, front.ID, r, analyze.Client)
	}
}

// endedBy reports whether c had ended, or was never opened, by then.
func endedBy(c *analyze.Connection, then event.Time) bool {
	if c.Ending == analyze.Unanswered {
		return true
	}
	end := c.FirstEnd()
	return end != 0 && end <= then
}

// isGatewayError reports whether a text begins an answer of HTTP that is a gateway's error.
func isGatewayError(text string) bool {
	_, status, ok := strings.Cut(text, " ")
	if !ok || !strings.HasPrefix(text, "HTTP/1.") || len(status) < 3 {
		return false
	}
	n, err := strconv.Atoi(status[:3])
	return err == nil && analyze.IsGatewayError(n)
}

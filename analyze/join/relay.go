package join

import (
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// carried is what a thread received last on one connection: left bytes of it are not sent on yet.
type carried struct {
	call *analyze.Call
	left int64
}

// legs are the two connections of a relay, by id: the one that it had accepted, and the one that it opened.
type legs struct{ front, back int }

// relays ties the two connections that one process relays between: it accepted one and opened the other, and
// its threads send on one what they have just received on the other. A connection whose bytes go to several
// is tied to none.
func (l *linker) relays() {
	relays := l.carriedBytes()
	partners := map[int]int{}
	for x := range relays {
		partners[x.front]++
		partners[x.back]++
	}
	for x, r := range relays {
		if partners[x.front] == 1 && partners[x.back] == 1 {
			l.tie(x.front, x.back, *r)
			l.tie(x.back, x.front, *r)
		}
	}
}

// carriedBytes returns what each process received on one connection and sent, by the same thread's next
// sending calls, on another: not more bytes, and the same ones where the calls show them.
func (l *linker) carriedBytes() map[legs]*analyze.Relay {
	holds := map[int]*carried{} // by thread
	relays := map[legs]*analyze.Relay{}
	for _, c := range l.res.Calls {
		if c.Connection == 0 || c.Ret <= 0 || c.Peek {
			continue
		}
		switch c.Kind() {
		case event.RecvCall:
			holds[c.TID] = &carried{c, c.Ret}
		case event.SendCall:
			h := holds[c.TID]
			if h == nil || h.call.Side != c.Side.Other() || h.call.Connection == c.Connection || c.Ret > h.left {
				continue
			}
			shown := h.call.Ret == c.Ret && h.call.Text != "" && c.Text != ""
			if shown && h.call.Text != c.Text {
				continue
			}
			h.left -= c.Ret
			x := legs{h.call.Connection, c.Connection}
			if c.Side == analyze.Server {
				x = legs{c.Connection, h.call.Connection}
			}
			r := relays[x]
			if r == nil {
				r = &analyze.Relay{PID: c.PID, Actor: c.Actor, Received: h.call.ID, Sent: c.ID, Confidence: analyze.Inferred}
				relays[x] = r
			}
			r.Bytes += uint64(c.Ret)
			if shown {
				r.Confidence = analyze.Observed
			}
		}
	}
	return relays
}

// tie notes on a connection that r relays between it and another, and what of the other made r end it.
func (l *linker) tie(id, other int, r analyze.Relay) {
	lc := l.byID[id]
	r.Leg = other
	for _, c := range lc.calls {
		if c.PID == r.PID && endsWriting(c) && len(c.Caused) > 0 {
			r.Call, r.After = c.ID, lastEnd(l.byID[other].calls, c)
			break
		}
	}
	lc.Relay = &r
}

// lastEnd returns the one of calls by which the thread of c had last learned from the wire, before c, that
// their connection was over, and 0 where none had.
func lastEnd(calls []*analyze.Call, c *analyze.Call) int {
	id := 0
	for _, e := range calls {
		if e.TID != c.TID || len(e.ReturnedBy) == 0 || e.End == 0 || e.End > c.Start {
			continue
		}
		if e.IsEOF() || e.Errno == "ECONNRESET" || e.Errno == "EPIPE" || e.Errno == "ETIMEDOUT" {
			id = e.ID
		}
	}
	return id
}

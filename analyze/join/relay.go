package join

import (
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// heldCalls bounds how many receiving calls of a thread wait for the call that sends their bytes on.
const heldCalls = 16

// carried is what a call received: left bytes of it are not sent on yet, the others went to one connection.
type carried struct {
	call *analyze.Call
	left int64
	to   int
}

// relayed is what a process moved between two connections.
type relayed struct {
	analyze.Relay
	tid      int
	sent     uint64 // bytes of the calls that sent it on, heads that were written anew included
	requests int    // that were passed on with another head
	answers  int    // likewise
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
		switch {
		case partners[x.front] != 1 || partners[x.back] != 1 || l.talksTo(x.front, r.tid):
			continue
		case l.passedOn(x, r):
		case l.onlyAsked(x, r):
			r.Same, r.Confidence = analyze.SameRequest, analyze.Inferred
		default:
			continue
		}
		l.tie(x.front, x.back, r.Relay, analyze.Server)
		l.tie(x.back, x.front, r.Relay, analyze.Client)
	}
}

// talksTo says whether the thread is itself the client of the connection, as a test is that talks to its own server:
// what it sends next elsewhere is then no more passed on than what it had sent there.
func (l *linker) talksTo(front, tid int) bool {
	return slices.ContainsFunc(l.byID[front].calls, func(c *analyze.Call) bool { return c.TID == tid && c.Side == analyze.Client })
}

// passedOn says whether what went through the process is most of what it sent on both legs and, where only the
// number of bytes tells, all of it: a server that asks another one sends bytes of its own. Where it wrote heads
// anew, request and response were passed on, and nothing else.
func (l *linker) passedOn(x legs, r *relayed) bool {
	sent := sentBy(r.PID, l.byID[x.front].calls, analyze.Server) + sentBy(r.PID, l.byID[x.back].calls, analyze.Client)
	if r.requests+r.answers > 0 {
		return r.sent == sent && r.requests > 0 && r.answers > 0
	}
	return r.sent == sent || r.Confidence == analyze.Observed && 2*r.sent > sent
}

// sentBy returns how many bytes a process sent as an end of a connection.
func sentBy(pid int, calls []*analyze.Call, side analyze.Side) (sent uint64) {
	for _, c := range calls {
		if c.PID == pid && c.Side == side && c.Ret > 0 && c.Kind() == event.SendCall {
			sent += uint64(c.Ret)
		}
	}
	return sent
}

// carriedBytes returns what each process received on one connection and sent, by the same thread's later
// sending calls, on another: the same bytes where the calls show them, else as many in the very next call.
func (l *linker) carriedBytes() map[legs]*relayed {
	held := map[int][]carried{} // by thread
	crowded := map[int]bool{}   // threads that held more than is remembered
	relays := map[legs]*relayed{}
	for _, c := range l.res.Calls {
		if c.Connection == 0 || c.Ret <= 0 || c.Peek {
			continue
		}
		switch c.Kind() {
		case event.RecvCall:
			h := held[c.TID]
			crowded[c.TID] = crowded[c.TID] || len(h) == heldCalls
			held[c.TID] = append(h[max(0, len(h)-heldCalls+1):], carried{call: c, left: c.Ret})
		case event.SendCall:
			h := held[c.TID]
			if !crowded[c.TID] {
				if i, body := passesMessage(h, c, relays); i >= 0 {
					noteMessage(relays, h[i].call, c, body)
					held[c.TID] = take(h, i, c.Connection, body)
					continue
				}
			}
			i, shown := sentOn(h, c, relays)
			if i < 0 {
				continue
			}
			note(relays, h[i].call, c, c.Ret, shown)
			held[c.TID] = take(h, i, c.Connection, c.Ret)
		}
	}
	return relays
}

// sentOn finds in held the call whose bytes c sends on, or -1, and says whether both show those bytes. Where
// the bytes of several connections fit, it is that one which relays has with c's already, else none.
func sentOn(held []carried, c *analyze.Call, relays map[legs]*relayed) (int, bool) {
	found, foundShown := -1, false
	for i := range held {
		fits, shown := fitting(held, i, c)
		if !fits || found >= 0 && held[found].call.Connection == held[i].call.Connection {
			continue
		}
		if relays[legsOf(held[i].call, c)] != nil {
			return i, shown
		}
		if found >= 0 {
			return -1, false
		}
		found, foundShown = i, shown
	}
	return found, foundShown
}

// fitting says whether c may send on what the call at i of held received, and whether both show those bytes.
func fitting(held []carried, i int, c *analyze.Call) (fits, shown bool) {
	h := held[i]
	if h.call.Side != c.Side.Other() || h.call.Connection == c.Connection {
		return false, false
	}
	if c.Ret > leftOf(held[i:], h.call.Connection) {
		return false, false
	}
	got, put := shownFrom(h.call, h.call.Ret-h.left), shownFrom(c, 0)
	if n := min(len(got), len(put)); n > 0 {
		return got[:n] == put[:n], true
	}
	return h.to == c.Connection || i == len(held)-1 && c.Ret == h.left, false
}

// legsOf returns the legs that are tied if send passed on what recv got.
func legsOf(recv, send *analyze.Call) legs {
	if send.Side == analyze.Server {
		return legs{send.Connection, recv.Connection}
	}
	return legs{recv.Connection, send.Connection}
}

// shownFrom returns what c shows of its bytes, but the first skipped ones.
func shownFrom(c *analyze.Call, skipped int64) string {
	text := strings.TrimSuffix(c.Text, "…")
	text = text[:min(int64(len(text)), c.Ret)]
	return text[min(int64(len(text)), skipped):]
}

// take removes from held n bytes that were sent on to a connection, those of the call at i first.
func take(held []carried, i, to int, n int64) []carried {
	from := held[i].call.Connection
	kept := held[:i]
	for _, h := range held[i:] {
		if h.call.Connection == from {
			took := min(n, h.left)
			n, h.left = n-took, h.left-took
			if took > 0 {
				h.to = to
			}
		}
		if h.left > 0 {
			kept = append(kept, h)
		}
	}
	return kept
}

// note adds to relays that send passed on n bytes of what recv had got.
func note(relays map[legs]*relayed, recv, send *analyze.Call, n int64, shown bool) *relayed {
	x := legsOf(recv, send)
	r := relays[x]
	if r == nil {
		r = &relayed{tid: send.TID, Relay: analyze.Relay{PID: send.PID, Actor: send.Actor, Received: recv.ID, Sent: send.ID, Confidence: analyze.Inferred}}
		relays[x] = r
	}
	r.Bytes, r.sent = r.Bytes+uint64(n), r.sent+uint64(send.Ret)
	if shown {
		r.Confidence = analyze.Observed
	}
	return r
}

// noteMessage adds that send passed on an HTTP message that recv had got, with another head.
func noteMessage(relays map[legs]*relayed, recv, send *analyze.Call, body int64) {
	r := note(relays, recv, send, body, true)
	if send.Side == analyze.Client {
		r.requests++
	} else {
		r.answers++
	}
}

// tie notes on a connection that r, which is an end of it, relays between it and another.
func (l *linker) tie(id, other int, r analyze.Relay, end analyze.Side) {
	r = l.leg(id, other, r, end)
	l.byID[id].Relay = &r
}

// leg is r as it stands on a connection, with what of the other made r end it.
func (l *linker) leg(id, other int, r analyze.Relay, end analyze.Side) analyze.Relay {
	r.Leg, r.Side = other, end
	for _, c := range l.byID[id].calls {
		if c.PID == r.PID && endsWriting(c) && len(c.Caused) > 0 {
			r.Call, r.After = c.ID, lastEnd(l.byID[other].calls, c)
			break
		}
	}
	return r
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

package words

import (
	"sync"

	"github.com/closecap/closecap/analyze"
)

// Telling says how a Heard tells. The zero value works.
type Telling struct {
	Raw    bool                // also text in no known protocol
	Calls  []*analyze.Call     // of the connection, where they were recorded
	Number func(uint64) uint64 // of a frame, what its number is by now; nil where that is the one with which it was heard
	// Into, when set, is where a connection's LastWords are put: they are good until the next is told.
	Into *analyze.LastWords
}

// Tell adds to c what was said on it last and what that says of its ending, and tells messages that only close from
// data that was lost. A nil Heard has nothing to tell.
func (h *Heard) Tell(c *analyze.Connection, how Telling) {
	if h == nil || h.mixed {
		return
	}
	h.renumber(how.Number)
	address := endpointOf(c.Client)
	client := h.end(&address)
	x := ended{Heard: h, c: c, calls: how.Calls, said: &unsaid}
	x.side[client], x.side[client.Other()] = analyze.Client, analyze.Server
	for e, side := range x.side {
		if c.Closer == side {
			x.closer, x.closed = End(e), true
		}
	}
	x.over = c.Whole && (c.Ending == analyze.Graceful || c.Ending == analyze.WasReset) || x.closedOn() || x.openedOnly()
	if x.mute() {
		return
	}
	if h.rest != nil {
		x.said = spare.Get().(*[2]said)
		defer func() { *x.said = unsaid; spare.Put(x.said) }()
	}
	var all analyze.LastWords
	for e, side := range x.side {
		if h.rest != nil {
			x.said[e] = h.lastOf(End(e), x.over)
			x.said[e].renumber(how.Number)
		}
		w := h.words(End(e), &x.said[e], how.Raw)
		if w == nil {
			continue
		}
		w.Acknowledged = h.ends[e].bytes > 0 && acknowledged(c, side)
		*all.Of(side) = w
		for l := range c.Losses() {
			switch {
			case l.From != side:
			case w.Confidence == analyze.Inferred:
				w.Tells = w.Tells || w.Closing > 0 && w.Closing == l.AfterClose
			default:
				l.Closing = min(w.Closing, l.Unacked+l.Unread+l.AfterClose)
			}
		}
	}
	if c.IdleClose != nil && (x.metByGoodbye() || !x.asksAnew()) {
		c.IdleClose = nil
		c.Explains = analyze.Topic(c)
	}
	x.explain(&all)
	x.transferred(&all, how.Number)
	all.Topic = x.topicOf(&all)
	if tells(&all) {
		if c.LastWords = how.Into; c.LastWords == nil {
			c.LastWords = new(analyze.LastWords)
		}
		*c.LastWords = all
		c.Explains = analyze.Topic(c)
	}
}

// unsaid is what the ends of a connection mean that speak no known protocol. What those of others mean is told in one of spare.
var (
	unsaid [2]said
	spare  = sync.Pool{New: func() any { return new([2]said) }}
)

// closedOn reports whether what came after the FIN of the first end drew its RST: that end had said all, and the other
// can say no more.
func (x *ended) closedOn() bool {
	r := x.c.Reset
	return r != nil && x.closed && r.By == x.side[x.closer] && x.ends[x.closer].said()
}

// openedOnly reports whether the client reset what it had opened, also in place of the handshake's ACK: as haproxy's checks
// do. Its RST says that neither end had said anything.
func (x *ended) openedOnly() bool {
	r := x.c.Reset
	return r != nil && r.Cause == analyze.Aborted && x.closed && x.closer == Client && r.By == x.side[Client] && x.nothing && r.Frame == x.ends[Client].over.frame
}

// mute reports whether there is nothing to tell, as is so of most connections of no known protocol: nobody idled, and
// nothing met the close.
func (x *ended) mute() bool {
	unheard := x.closed && x.turn.frame == 0
	return x.rest == nil && !unheard && x.met == (met{}) && x.c.Stall == nil &&
		(!x.closed || x.ends[x.closer].over.frame == 0 || x.silence() < longIdle)
}

// tells reports whether anything is told.
func tells(l *analyze.LastWords) bool {
	return l.Client != nil || l.Server != nil || l.Reason != "" || l.IdleNS != 0 || l.Outstanding != 0
}

// metByGoodbye reports whether nothing met the closed socket but messages that close: no request.
func (x *ended) metByGoodbye() bool {
	r := x.c.Reset
	return r != nil && r.Cause == analyze.DataAfterClose && r.Lost.Closing > 0 && x.c.LostBytes().Sum() == 0
}

// topicOf names the topic that tells more of the reason, or where there is none of an end without a goodbye.
func (x *ended) topicOf(all *analyze.LastWords) string {
	for _, side := range x.side {
		if w := *all.Of(side); x.topic == "" && all.Reason == "" && w != nil && w.Tells && w.Frame == 0 {
			return topicOf(w.Protocol)
		}
	}
	return x.topic
}

// explain adds the reason, and how long nobody had said anything before the end.
func (x *ended) explain(all *analyze.LastWords) {
	a, b := &x.ends[Client], &x.ends[Server]
	if !a.begun || !b.begun || a.holes || b.holes || missing(x.c) {
		return
	}
	all.Reason, all.Kind = x.reason()
	all.Said = x.message
	if all.Reason != "" {
		if all.Confidence = x.c.CloserSure; !x.closed || x.unsure {
			all.Confidence = analyze.Inferred
		}
	}
	for e, quoted := range x.quoted {
		if w := *all.Of(x.side[e]); quoted && w != nil {
			w.Quoted = true
		}
	}
	if !x.over || !x.closed || x.ends[x.closer].over.frame == 0 {
		return
	}
	if idle := x.silence(); tells(all) || idle >= longIdle {
		all.IdleNS, all.Outstanding = max(0, int64(idle)), uint64(x.asks().outstanding())
	}
}

// missing reports whether the capture lacks some of what was said: that may be a goodbye.
func missing(c *analyze.Connection) bool {
	for l := range c.Losses() {
		if l.Missing > 0 {
			return true
		}
	}
	return false
}

// acknowledged reports whether the other end's kernel has all that a side sent.
func acknowledged(c *analyze.Connection, side analyze.Side) bool {
	if c.Ending == analyze.UnknownEnding || *c.InFlight.Of(side) > 0 || *c.Packets.Of(c.Peer(side)) == 0 {
		return false
	}
	for l := range c.Losses() {
		if l.From == side && l.Unacked+l.AfterClose+l.MayBe+l.Missing > 0 {
			return false
		}
	}
	return true
}

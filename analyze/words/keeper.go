package words

import (
	"net/netip"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// Keeper keeps what is said on the connections that are open. A connection that is over is to be taken from
// it: what it holds is bounded by how many are not.
type Keeper struct {
	talks map[event.Pair][]*Heard // oldest first; more than one while an earlier one is yet to be taken
}

// Heard is what was said on one connection.
type Heard struct {
	Talk
	opener netip.AddrPort // of Client
	mixed  bool           // with what was said on another one
}

// NewKeeper returns an empty Keeper.
func NewKeeper() *Keeper { return &Keeper{talks: map[event.Pair][]*Heard{}} }

// Segment takes the next segment in the order of capture, with its payload as far as it was captured. It keeps
// nothing of either. Plain acknowledgments say nothing.
func (k *Keeper) Segment(s *event.Segment, payload []byte) {
	if s.Len == 0 && s.Flags&(event.SYN|event.FIN|event.RST) == 0 {
		return
	}
	pair := event.PairOf(s.Src, s.Dst)
	list := k.talks[pair]
	var h *Heard
	if len(list) > 0 {
		h = list[len(list)-1]
	}
	syn := s.Flags.Has(event.SYN)
	switch {
	case h != nil && !(syn && !s.Flags.Has(event.ACK) && h.isOther(s)):
	case !syn && s.Len <= 1: // what comes late of a connection that is over: a FIN, an RST, a keep-alive
		return
	default:
		h = &Heard{opener: s.Src}
		if syn && s.Flags.Has(event.ACK) {
			h.opener = s.Dst
		}
		k.talks[pair] = append(list, h)
	}
	e := Client
	if s.Src != h.opener {
		e = Server
	}
	h.Segment(e, s, payload)
}

// isOther reports whether a SYN begins another connection than h.
func (h *Heard) isOther(s *event.Segment) bool {
	d := &h.ends[Client]
	if s.Src != h.opener {
		d = &h.ends[Server]
	}
	return d.based && !(d.begun && d.isn == s.Seq)
}

// Take returns what was said on a connection and forgets it: the one between two ends that is the oldest,
// if it began by the frame last, and nil otherwise.
func (k *Keeper) Take(a, b netip.AddrPort, last uint64) *Heard {
	pair := event.PairOf(a, b)
	list := k.talks[pair]
	var h *Heard
	n := 0
	for n < len(list) && list[n].first <= last {
		h = list[n]
		n++
	}
	if h == nil {
		return nil
	}
	h.mixed = n > 1 || h.last > last
	if n == len(list) {
		delete(k.talks, pair)
	} else {
		k.talks[pair] = list[n:]
	}
	return h
}

// Open returns how many connections are kept.
func (k *Keeper) Open() int { return len(k.talks) }

// Tell adds to c what was said on it, with raw also text in no known protocol, and tells messages that only
// close from data that was lost. A nil Heard has nothing to tell.
func (h *Heard) Tell(c *analyze.Connection, raw bool) {
	if h == nil || h.mixed {
		return
	}
	over := c.Whole && (c.Ending == analyze.Graceful || c.Ending == analyze.WasReset)
	var all analyze.LastWords
	for _, side := range [...]analyze.Side{analyze.Client, analyze.Server} {
		e := Client
		if address := c.Client; side == analyze.Server && c.Server != h.opener || side == analyze.Client && address != h.opener {
			e = Server
		}
		w := h.Words(e, over, raw)
		if w == nil {
			continue
		}
		w.Acknowledged = h.ends[e].bytes > 0 && acknowledged(c, side)
		*all.Of(side) = w
		for l := range c.Losses() {
			if l.From == side && w.Confidence != analyze.Inferred {
				l.Closing = min(w.Closing, l.Unacked+l.Unread+l.AfterClose)
			}
		}
	}
	if all != (analyze.LastWords{}) {
		c.LastWords = &all
	}
}

// acknowledged reports whether the other end's kernel has all that a side sent.
func acknowledged(c *analyze.Connection, side analyze.Side) bool {
	if c.Ending == analyze.UnknownEnding || *c.InFlight.Of(side) > 0 || *c.Packets.Of(side.Other()) == 0 {
		return false
	}
	for l := range c.Losses() {
		if l.From == side && l.Unacked+l.AfterClose+l.MayBe+l.Missing > 0 {
			return false
		}
	}
	return true
}

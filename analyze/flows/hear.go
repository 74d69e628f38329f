package flows

import (
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows/prefetch"
	"github.com/closecap/closecap/analyze/words"
)

// speech is the payload of a batch, and which segment of it speaks now.
type speech struct {
	all     []byte
	ends    []int
	segment *event.Segment
	at      int // where segment is in the batch
}

// Hear makes f keep what is said on each connection, as far as Spoken brings it: f knows already which connection a
// segment is on. What was said on one is handed out with it.
func (f *Follower) Hear() *words.Numbered {
	f.words = words.NewNumbered()
	return f.words
}

// Heard is what was said on the connection that is being handed out, nil where nobody hears.
func (f *Follower) Heard() *words.Heard { return f.heard }

// payload returns that of the segment that speaks.
func (p *speech) payload() []byte {
	switch i := p.at; {
	case i >= len(p.ends):
		return nil
	case i == 0:
		return p.all[:p.ends[0]]
	default:
		return p.all[p.ends[i-1]:p.ends[i]]
	}
}

// isQuiet reports whether a segment that waits to be followed is heard with what waits: all that hear would say, of most.
func (h *head) isQuiet(s *event.Segment) bool {
	return h.marks&spoke == 0 && (s.Len == 0 || h.marks&deaf != 0 && s.Options.Speech == event.NoText|event.NoStart)
}

// hear hears a segment of the connection at p. Of one that was held back the payload is gone. On a connection of no known
// protocol only text has to be heard before it waits to be followed: all else is heard with what waits. So most
// connections need no memory of what was said until they are over, and then one that is still in the cache.
func (f *Follower) hear(p place, s *event.Segment, swapped, waits bool) {
	if !words.Says(s) {
		return
	}
	h := &f.roster.heads[p]
	if h.marks&(spoke|deaf) != spoke {
		quiet := s.Len == 0 || s.Options.Speech&event.NoText != 0 && s == f.speech.segment && f.isDeaf(h, s, swapped)
		switch {
		case quiet && waits:
			return
		case quiet:
			f.words.Quiet(uint32(p), s, swapped)
			return
		}
		f.hearWaiting(p)
		h.marks = h.marks&^deaf | spoke
	}
	var payload []byte
	if s.Len > 0 && s == f.speech.segment {
		payload = f.speech.payload()
	}
	if f.words.Segment(uint32(p), s, swapped, payload) {
		h.marks |= deaf
	}
}

// isDeaf reports whether what is said on h's connection can be of no known protocol: that it was begun with what is
// none, or that s begins it with such a payload. The server's first words may still tell another protocol than its
// client began with.
func (f *Follower) isDeaf(h *head, s *event.Segment, swapped bool) bool {
	server := swapped != (h.marks&hiFirst != 0)
	switch {
	case h.marks&deaf != 0:
		return h.marks&spoke != 0 || !server || f.words.None(s, server, f.speech.payload)
	case h.waiting == 0 || !f.words.None(s, server, f.speech.payload):
		return false
	}
	for i, t := range f.backlog.at(h.firstChunk)[:min(h.waiting, 2)] {
		if t.flags.Has(event.SYN) && t.swapped == swapped && t.seq.Add(1) == s.Seq && (i == 0 || t.flags.Has(event.ACK)) {
			h.marks |= deaf
			return true
		}
	}
	return false
}

// hearWaiting hears what waits at p.
func (f *Follower) hearWaiting(p place) {
	h := &f.roster.heads[p]
	if h.waiting == 0 {
		return
	}
	lo, hi := h.endpoints()
	for t := range f.backlog.all(h) {
		s := event.Segment{Src: lo, Dst: hi}
		if t.swapped {
			s.Src, s.Dst = hi, lo
		}
		if t.unpack(&s); words.Says(&s) {
			f.words.Quiet(uint32(p), &s, t.swapped)
		}
	}
}

// fetchWords asks for what is needed to hear what a segment of the connection at p says.
func (f *Follower) fetchWords(h *head, p place) {
	switch h.marks & (spoke | deaf) {
	case spoke:
		f.words.Fetch(uint32(p))
	case 0:
		if h.waiting > 0 { // see isDeaf
			first := f.backlog.at(h.firstChunk)
			prefetch.Span(&first[0].frame, &first[1].frame)
		}
	}
}

package words

import (
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// turn is what one end said since the other last said something.
type turn struct {
	spot              // of its first segment
	before event.Time // when an end had last said something, or the handshake was
	seq    seqnum.Value
	of     End
}

// pause is the last in which nobody said anything for long.
type pause struct {
	frame uint64 // that ended it
	from  event.Time
}

// met is what of a turn met the other end's close.
type met struct {
	crossed spot // the first segment that was sent before that close had come, and came after it
	late    spot // the first that was sent when it had come
}

// speaks notes that e says something in order that begins a turn, or follows the other end's close.
func (t *Talk) speaks(e End, s *event.Segment) {
	d, o, at := &t.ends[e], &t.ends[e.Other()], spot{s.Frame, s.Time}
	if t.turn.of != e || t.turn.frame == 0 {
		t.turn = turn{spot: at, of: e, seq: s.Seq, before: max(d.at.time, o.at.time)}
		t.met = met{}
		if t.turn.before == 0 {
			t.turn.before = t.opened
		}
	}
	switch {
	case !o.fin || !s.Flags.Has(event.ACK):
	case s.Ack.Diff(o.finAt) > 0:
		if t.met.late.frame == 0 {
			t.met.late = at
		}
	case t.met.crossed.frame == 0:
		t.met.crossed = at
	}
}

// end notes the first FIN of e, or an RST that answers nothing: both say what of the other end had come.
func (t *Talk) end(e End, s *event.Segment) {
	if !s.Flags.Has(event.ACK) {
		return
	}
	if t.until == 0 {
		if t.until = max(t.ends[Client].at.time, t.ends[Server].at.time, t.again, t.opened); s.Len > 0 {
			t.until = s.Time
		}
		d, o := &t.ends[e], &t.ends[e.Other()]
		t.nothing = d.begun && o.begun && s.Len == 0 && s.Seq.Diff(d.isn) == 1 && s.Ack.Diff(o.isn) == 1
	}
	t.ends[e].over = spot{s.Frame, s.Time}
	if t.rest != nil && t.ftp != nil {
		t.ftp.ended(e, s, &t.ends)
	}
	if e == Client && t.reads() && t.ends[Server].over.frame == 0 {
		t.pending = t.reader.last(Client, fate{heard: true})
	}
	if t.turn.frame != 0 && t.turn.of != e && t.met.crossed.frame == 0 && s.Ack.Diff(t.turn.seq) <= 0 {
		t.met.crossed = t.turn.spot
	}
}

// fate tells what became of what e says.
func (t *Talk) fate(e End, over bool) fate {
	d, o := &t.ends[e], &t.ends[e.Other()]
	fin, heard := d.said(), o.said()
	return fate{fin: fin, done: fin || over, heard: heard || over, over: d.over, first: d.over.frame != 0 && (o.over.frame == 0 || d.over.frame < o.over.frame)}
}

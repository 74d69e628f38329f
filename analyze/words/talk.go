package words

import (
	"bytes"
	"cmp"
	"fmt"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// What is kept of each end: its first bytes until the protocol is told, its last ones, and what came ahead of
// something missing.
const (
	maxHead  = 4 << 10
	maxAhead = 64 << 10
	// farAhead is more than any window: a segment so far off belongs to another connection.
	farAhead = 1 << 30
)

// Talk is what both ends of one connection have said so far. Its zero value is one of which nothing has
// been seen. Of what is no known protocol it holds no pointer, for the garbage collector to follow. What each
// segment needs stands together, in the first cache line of a Heard and that of its end.
type Talk struct {
	*rest         // nil where there is nothing of it
	last   uint64 // frame
	turn   turn
	told   bool // which protocol it is, or that it is none
	closed bool // an end has sent its FIN
	ends   [2]end
	seldom
}

// rest is what is not kept of each connection.
type rest struct {
	reader   reader
	of       *protocol
	stranger *stranger // nil where both ends speak the same
	heads    [2][]byte
	ahead    [2][]piece
	tails    [2]tail
	pause    pause
	leg      *leg      // nil where nobody asks for relays
	ftp      *mail     // the reader, of a control connection of FTP
	transfer *transfer // of a data connection of FTP
	// pending is what the client had asked without an answer when it closed first.
	pending said
}

// seldom is what few segments need.
type seldom struct {
	met    met
	first  uint64     // frame
	opened event.Time // its first segment
	again  event.Time // when an end last sent again what it had said, before either closed
	until  event.Time // when an end had last said something when the first closed
	// unheard: the client alone has told which protocol it is, and the server has yet to speak; unasked is the reverse.
	unheard bool
	unasked bool
	vague   bool // and may have begun any: its first line was too long, or cut by the snap length
	nothing bool // the end that closed first had said nothing by then, and heard nothing
}

// end is how far an end has come, in one cache line.
type end struct {
	next   seqnum.Value
	finAt  seqnum.Value // with fin: where that is in the stream
	isn    seqnum.Value // with begun
	held   int32        // bytes that came ahead of others, each piece with 64 more
	bytes  int64
	at     spot // of the last byte
	over   spot // its first FIN, or an RST of its own accord
	based  bool // next is known
	begun  bool // from the SYN on
	fin    bool
	holes  bool // some of what it said was not captured, and not for the snap length
	text   bool // what it said last may be text: its tail is kept
	here   bool // its SYN left the capturing host, and had not come in there
	broken bool // the line that it said last has what is not for reading, before its tail
}

// piece is a segment that came before those it follows.
type piece struct {
	seq     seqnum.Value
	said    int64  // bytes that were captured
	payload []byte // nil where only their number matters: see quiet
	missing int64  // bytes after those that were not captured
	at      spot
}

// Segment takes a segment of e with its payload, as much of it as was captured. It keeps nothing of either.
func (t *Talk) Segment(e End, s *event.Segment, payload []byte) {
	n := int64(s.Len)
	payload = payload[:min(int64(len(payload)), n)]
	t.segment(e, s, piece{said: int64(len(payload)), payload: payload, missing: n - int64(len(payload))})
}

// deaf reports whether what is said tells nothing but by its number, but where it may be text.
func (t *Talk) deaf() bool {
	return t.told && !t.unheard && (t.rest == nil || t.reader == nil && t.leg == nil)
}

// quiet takes a segment of e in a Talk that is deaf. Its payload was captured, and is no text.
func (t *Talk) quiet(e End, s *event.Segment) { t.segment(e, s, piece{said: int64(s.Len)}) }

// segment takes a segment with its payload, as yet without its place.
func (t *Talk) segment(e End, s *event.Segment, p piece) {
	d := &t.ends[e]
	if t.first == 0 {
		t.first, t.opened = s.Frame, s.Time
	}
	t.last = s.Frame
	if s.Flags&(event.FIN|event.RST) != 0 && d.over.frame == 0 {
		t.end(e, s)
	}
	if s.Flags.Has(event.RST) {
		return
	}
	seq := s.Seq
	if s.Flags.Has(event.SYN) {
		seq = seq.Add(1)
		if !d.based {
			d.next, d.based, d.begun, d.isn, d.here = seq, true, true, s.Seq, s.Has&event.Outgoing != 0
		}
	}
	if s.Len > 0 {
		if !d.based {
			d.next, d.based = seq, true
		}
		p.seq, p.at = seq, spot{s.Frame, s.Time}
		if seq == d.next && d.held == 0 {
			if t.turn.of != e || t.turn.frame == 0 || t.closed && t.ends[e.Other()].fin {
				t.speaks(e, s)
			}
			t.feed(e, &p)
		} else {
			t.take(e, p)
		}
	}
	if s.Flags.Has(event.FIN) && !d.fin {
		d.fin, d.finAt, t.closed = true, seq.Add(s.Len), true
	}
}

// take puts a piece where it belongs: what was there already goes, what comes too early waits.
func (t *Talk) take(e End, p piece) {
	d := &t.ends[e]
	switch early := p.seq.Diff(d.next); {
	case early > farAhead || early < -farAhead:
		return
	case early > 0:
		t.wait(e, p)
		return
	case early < 0:
		old := int64(-early)
		if old >= p.said+p.missing {
			t.repeats(&p)
			return
		}
		n := min(old, p.said)
		p.payload = p.payload[min(n, int64(len(p.payload))):]
		p.said, p.missing, p.seq = p.said-n, p.missing-(old-n), d.next
	}
	t.feed(e, &p)
	for t.resume(e) {
	}
}

// repeats notes that an end sends again what it had said: keep-alives bring one byte at most.
func (t *Talk) repeats(p *piece) {
	if p.said+p.missing > 1 && t.ends[Client].over.frame == 0 && t.ends[Server].over.frame == 0 {
		t.again = p.at.time
	}
}

// rests returns what is not kept of each connection.
func (t *Talk) rests() *rest {
	if t.rest == nil {
		t.rest = &rest{}
	}
	return t.rest
}

// wait keeps a piece until what is before it comes, or is given up when too much waits.
func (t *Talk) wait(e End, p piece) {
	d, r := &t.ends[e], t.rests()
	p.payload = bytes.Clone(p.payload)
	r.ahead[e] = append(r.ahead[e], p)
	for d.held += int32(len(p.payload)) + 64; d.held > maxAhead; {
		t.giveUp(e)
	}
}

// resume takes the next piece that waits, where its turn has come.
func (t *Talk) resume(e End) bool {
	d := &t.ends[e]
	if d.held == 0 {
		return false
	}
	for i, p := range t.ahead[e] {
		if p.seq.Diff(d.next) <= 0 {
			t.drop(e, i)
			t.take(e, p)
			return true
		}
	}
	return false
}

func (t *Talk) drop(e End, i int) {
	ahead := t.ahead[e]
	t.ends[e].held -= int32(len(ahead[i].payload)) + 64
	t.ahead[e] = append(ahead[:i], ahead[i+1:]...)
}

// giveUp passes over what is missing before the first piece that waits.
func (t *Talk) giveUp(e End) {
	d, ahead := &t.ends[e], t.ahead[e]
	first := 0
	for i, p := range ahead {
		if p.seq.Less(ahead[first].seq) {
			first = i
		}
	}
	p := ahead[first]
	t.pass(e, int64(p.seq.Diff(d.next)))
	d.holes = true
	t.drop(e, first)
	t.take(e, p)
}

// pass passes over n bytes that are missing.
func (t *Talk) pass(e End, n int64) {
	d := &t.ends[e]
	d.next = d.next.Add(uint32(n))
	t.noText(e)
	d.broken = false
	if t.rest != nil && t.leg != nil {
		t.leg.carried[e].torn = true
	}
	switch {
	case t.reads():
		if e == Client {
			t.listens()
		}
		t.reader.skip(e, n)
	case !t.told:
		some := t.rest != nil && len(t.heads[Client]) > 0
		t.unheard, t.vague = e == Client && some && t.ends[Server].bytes == 0, some
		t.giveUpTelling()
	}
}

func (t *Talk) giveUpTelling() {
	t.told = true
	if t.rest != nil {
		t.heads = [2][]byte{}
	}
}

// reads reports whether the protocol is known.
func (t *Talk) reads() bool { return t.rest != nil && t.reader != nil }

// feed takes a piece whose turn it is.
func (t *Talk) feed(e End, p *piece) {
	d := &t.ends[e]
	if n := p.said; n > 0 {
		if t.rest != nil {
			if last := max(t.opened, d.at.time, t.ends[e.Other()].at.time, t.again); p.at.time.Sub(last) >= longIdle {
				t.pause = pause{p.at.frame, last}
			}
		}
		d.next, d.bytes, d.at = d.next.Add(uint32(n)), d.bytes+n, p.at
		if p.payload != nil {
			t.keepText(e, p.payload)
		} else {
			t.noText(e)
			t.unheard = e == Client && (t.unheard || !t.told && t.ends[Server].bytes == 0)
			if !t.told {
				t.giveUpTelling()
			}
		}
		if t.rest != nil && t.leg != nil {
			t.leg.carried[e].add(p.payload, p.at.time)
		}
		switch {
		case t.reads():
			t.hear(e, p)
		case !t.told:
			t.tell(e, p.payload)
		case t.unheard && e == Server && p.payload != nil:
			t.answered(p.payload)
		}
	}
	if p.missing > 0 {
		t.pass(e, p.missing)
	}
}

// hear has the reader read on.
func (t *Talk) hear(e End, p *piece) {
	switch {
	case e == Client && t.stranger != nil:
		return
	case e == Client && t.unasked:
		t.asks(p.payload, p.at)
		return
	case e == Server && t.unheard && t.answered(p.payload):
		return
	}
	t.reader.said(e, p.payload, p.at)
}

// Words returns the last words of e, nil where nothing was heard of it or nothing is known of them. With raw
// it returns text in no known protocol, too. over says that the connection has ended, and that the capture
// lacks nothing of it.
func (t *Talk) Words(e End, over, raw bool) *analyze.Words {
	m := t.lastOf(e, over)
	return t.words(e, &m, raw)
}

// lastOf returns what e said last, all of it empty in no known protocol.
func (t *Talk) lastOf(e End, over bool) said {
	for _, e := range [...]End{Client, Server} {
		for t.ends[e].held > 0 {
			t.giveUp(e)
		}
	}
	switch {
	case !t.reads():
		return t.untold(e, t.fate(e, over))
	case e == Client && t.stranger != nil:
		return t.stranger.words(t.of)
	}
	m := t.reader.last(e, t.fate(e, over))
	m.protocol = cmp.Or(m.protocol, t.of.name)
	return m
}

func (t *Talk) words(e End, m *said, raw bool) *analyze.Words {
	d := &t.ends[e]
	if m.cut && m.at.frame == 0 {
		m.at = d.at
	}
	if m.meaning == "" && !raw {
		return nil
	}
	w := analyze.Words{Frame: d.at.frame, Time: d.at.time}
	if m.meaning != "" {
		w.Protocol, w.Meaning, w.Confidence, w.Tells = m.protocol, m.meaning, m.sure, m.tells
		w.Frame, w.Time = m.at.frame, m.at.time
		if first := m.goodbye.at.frame; m.goodbye.name == goawayName && first != m.at.frame {
			w.Meaning += fmt.Sprintf(", the first in frame %d", first)
		}
	}
	w.Closing = uint64(max(0, m.closing))
	if raw && d.bytes > 0 && !m.sealed {
		w.Text = t.lastText(e)
	}
	if w.Meaning == "" && w.Text == "" {
		return nil
	}
	kept := w
	return &kept
}

// Held returns how many bytes of what was said are kept.
func (t *Talk) Held() (n int) {
	for i := range t.ends {
		d := &t.ends[i]
		n += int(d.held)
	}
	if t.rest != nil {
		n += cap(t.heads[Client]) + cap(t.heads[Server]) + t.tails[Client].n + t.tails[Server].n
	}
	return n
}

// said reports whether the end of what d says was captured.
func (d *end) said() bool { return d.fin && d.finAt == d.next && d.held == 0 }

// mute reports whether d, which began with its SYN, said nothing: not even what the capture has cut off.
func (d *end) mute() bool { return d.next == d.isn.Add(1) }

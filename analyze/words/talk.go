package words

import (
	"bytes"
	"cmp"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// What is kept of each end: its first bytes until the protocol is told, its last ones, and what came ahead of
// something missing.
const (
	maxHead  = 4 << 10
	maxTail  = 256
	maxAhead = 64 << 10
	// farAhead is more than any window: a segment so far off belongs to another connection.
	farAhead = 1 << 30
)

// Talk is what both ends of one connection have said so far. Its zero value is one of which nothing has
// been seen.
type Talk struct {
	ends   [2]end
	reader reader
	name   string
	told   bool // which protocol it is, or that it is none
	first  uint64
	last   uint64 // frames
	turn   turn
	opened event.Time // its first segment
	leg    *leg       // nil where nobody asks for relays
}

// end is what one end has said.
type end struct {
	next  seqnum.Value
	based bool // next is known
	begun bool // from the SYN on
	fin   bool
	finAt seqnum.Value // where that is in the stream
	isn   seqnum.Value // with begun
	holes bool         // some of what it said was not captured, and not for the snap length
	over  spot         // its first FIN, or an RST of its own accord
	bytes int64
	at    spot // of the last byte
	head  []byte
	tail  tail
	ahead []piece
	held  int // bytes of ahead
}

// tail is the end of what an end said.
type tail struct {
	n    int
	text [maxTail]byte
}

// piece is a segment that came before those it follows.
type piece struct {
	seq     seqnum.Value
	payload []byte
	missing int64 // bytes after payload that were not captured
	at      spot
}

// Segment takes a segment of e with its payload, as much of it as was captured. It keeps nothing of either.
func (t *Talk) Segment(e End, s *event.Segment, payload []byte) {
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
			d.next, d.based, d.begun, d.isn = seq, true, true, s.Seq
		}
	}
	n := int64(s.Len)
	if n > 0 {
		if !d.based {
			d.next, d.based = seq, true
		}
		payload = payload[:min(int64(len(payload)), n)]
		p := piece{seq, payload, n - int64(len(payload)), spot{s.Frame, s.Time}}
		if seq == d.next && len(d.ahead) == 0 {
			if t.turn.of != e || t.turn.frame == 0 || t.ends[e.Other()].fin {
				t.speaks(e, s)
			}
			t.feed(e, &p)
		} else {
			t.take(e, p)
		}
	}
	if s.Flags.Has(event.FIN) && !d.fin {
		d.fin, d.finAt = true, seq.Add(s.Len)
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
		if old >= int64(len(p.payload))+p.missing {
			return
		}
		n := min(old, int64(len(p.payload)))
		p.payload, p.missing = p.payload[n:], p.missing-(old-n)
		p.seq = d.next
	}
	t.feed(e, &p)
	for t.resume(e) {
	}
}

// wait keeps a piece until what is before it comes, or is given up when too much waits.
func (t *Talk) wait(e End, p piece) {
	d := &t.ends[e]
	p.payload = bytes.Clone(p.payload)
	d.ahead = append(d.ahead, p)
	for d.held += len(p.payload) + 64; d.held > maxAhead; {
		t.giveUp(e)
	}
}

// resume takes the next piece that waits, where its turn has come.
func (t *Talk) resume(e End) bool {
	d := &t.ends[e]
	for i, p := range d.ahead {
		if p.seq.Diff(d.next) <= 0 {
			d.drop(i)
			t.take(e, p)
			return true
		}
	}
	return false
}

func (d *end) drop(i int) {
	d.held -= len(d.ahead[i].payload) + 64
	d.ahead = append(d.ahead[:i], d.ahead[i+1:]...)
}

// giveUp passes over what is missing before the first piece that waits.
func (t *Talk) giveUp(e End) {
	d := &t.ends[e]
	first := 0
	for i, p := range d.ahead {
		if p.seq.Less(d.ahead[first].seq) {
			first = i
		}
	}
	p := d.ahead[first]
	t.pass(e, int64(p.seq.Diff(d.next)))
	d.holes = true
	d.drop(first)
	t.take(e, p)
}

// pass passes over n bytes that are missing.
func (t *Talk) pass(e End, n int64) {
	d := &t.ends[e]
	d.next = d.next.Add(uint32(n))
	d.tail.n = 0
	if t.leg != nil {
		t.leg.carried[e].torn = true
	}
	switch {
	case t.reader != nil:
		t.reader.skip(e, n)
	case !t.told:
		t.giveUpTelling()
	}
}

func (t *Talk) giveUpTelling() {
	t.told = true
	t.ends[Client].head, t.ends[Server].head = nil, nil
}

// feed takes a piece whose turn it is.
func (t *Talk) feed(e End, p *piece) {
	d := &t.ends[e]
	if n := len(p.payload); n > 0 {
		d.next, d.bytes, d.at = d.next.Add(uint32(n)), d.bytes+int64(n), p.at
		d.tail.keep(p.payload)
		if t.leg != nil {
			t.leg.carried[e].add(p.payload, p.at.time)
		}
		switch {
		case t.reader != nil:
			t.reader.said(e, p.payload, p.at)
		case !t.told:
			t.tell(e, p.payload)
		}
	}
	if p.missing > 0 {
		t.pass(e, p.missing)
	}
}

// keep keeps the end of b.
func (t *tail) keep(b []byte) {
	b = b[max(0, len(b)-maxTail):]
	if more := t.n + len(b) - maxTail; more > 0 {
		t.n = copy(t.text[:], t.text[more:t.n])
	}
	t.n += copy(t.text[t.n:], b)
}

// tell asks which protocol the first bytes are of.
func (t *Talk) tell(e End, b []byte) {
	d := &t.ends[e]
	if !d.begun {
		t.giveUpTelling()
		return
	}
	n := min(len(b), maxHead-len(d.head))
	heads := [2][]byte{t.ends[Client].head, t.ends[Server].head}
	if heads[e] = b[:n]; len(d.head) > 0 {
		d.head = append(d.head, b[:n]...)
		heads[e] = d.head
	}
	undecided := false
	for _, p := range protocols {
		switch p.is(heads[Client], heads[Server]) {
		case more:
			undecided = true
		case yes:
			t.name, t.reader = p.name, p.read()
			if r, ok := t.reader.(*http1); ok && t.leg != nil {
				r.answers = &t.leg.body
			}
			if h := heads[e.Other()]; len(h) > 0 {
				t.reader.said(e.Other(), h, t.ends[e.Other()].at)
			}
			t.reader.said(e, heads[e], d.at)
			if n < len(b) {
				t.reader.said(e, b[n:], d.at)
			}
			t.giveUpTelling()
			return
		}
	}
	switch {
	case !undecided || len(heads[e]) == maxHead:
		t.giveUpTelling()
	case len(d.head) == 0:
		d.head = bytes.Clone(b[:n])
	}
}

// Words returns the last words of e, nil where nothing was heard of it or nothing is known of them. With raw
// it returns text in no known protocol, too. over says that the connection has ended, and that the capture
// lacks nothing of it.
func (t *Talk) Words(e End, over, raw bool) *analyze.Words {
	return t.words(e, t.lastOf(e, over), raw)
}

// lastOf returns what e said last, all of it empty in no known protocol.
func (t *Talk) lastOf(e End, over bool) said {
	for _, e := range [...]End{Client, Server} {
		for len(t.ends[e].ahead) > 0 {
			t.giveUp(e)
		}
	}
	if t.reader == nil {
		return said{}
	}
	m := t.reader.last(e, t.fate(e, over))
	m.protocol = cmp.Or(m.protocol, t.name)
	return m
}

func (t *Talk) words(e End, m said, raw bool) *analyze.Words {
	d := &t.ends[e]
	w := analyze.Words{Frame: d.at.frame, Time: d.at.time}
	if m.meaning != "" {
		w.Protocol, w.Meaning, w.Confidence, w.Tells = m.protocol, m.meaning, m.sure, m.tells
		w.Frame, w.Time = m.at.frame, m.at.time
	}
	w.Closing = uint64(max(0, m.closing))
	if raw && d.bytes > 0 {
		w.Text = lastText(d.tail.text[:d.tail.n])
	}
	if w.Meaning == "" && w.Text == "" {
		return nil
	}
	kept := w
	return &kept
}

// lastText returns the last line of text, "" where it is not for reading.
func lastText(b []byte) string {
	end := len(b)
	for end > 0 && (b[end-1] == '\r' || b[end-1] == '\n' || b[end-1] == ' ' || b[end-1] == 0) {
		end--
	}
	from := end
	for from > 0 && b[from-1] != '\n' {
		if from--; !plainText(b[from : from+1]) {
			return ""
		}
	}
	b = b[from:end]
	return clip(b)
}

// Held returns how many bytes of what was said are kept.
func (t *Talk) Held() (n int) {
	for i := range t.ends {
		d := &t.ends[i]
		n += cap(d.head) + d.tail.n + d.held
	}
	return n
}

// said reports whether the end of what d says was captured.
func (d *end) said() bool { return d.fin && d.finAt == d.next && len(d.ahead) == 0 }

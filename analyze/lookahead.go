package analyze

import "closecap/analyze/event"

// lookAhead is what the next few segments are for. A connection that is not in a core's cache
// takes as long to fetch as several segments to keep; asked for together, those of a few
// segments come in little more time than one of them.
type lookAhead struct {
	aims    [32]aim
	places  [32]place
	touched uint64 // keeps the reads from being left out
}

// Segments takes the next segments, as Segment does one by one, in less time.
func (f *Follower) Segments(batch []event.Segment) {
	for len(batch) > 0 {
		n := min(len(batch), len(f.ahead.aims))
		f.look(batch[:n])
		for i := range n {
			f.count(&batch[i])
			a, p := &f.ahead.aims[i], f.ahead.places[i]
			if h := &f.roster.heads[p]; h.id == 0 || !h.key.equal(&a.key) {
				p = f.table.find(f.roster.heads, &a.key, a.hash)
			}
			f.route(&batch[i], a, p)
		}
		batch = batch[n:]
	}
}

// look aims segments at their connections and touches what they will need. What it finds is
// only likely: the segments before may end a connection, or begin one.
func (f *Follower) look(batch []event.Segment) {
	l, touched := &f.ahead, uint64(0)
	mask := uint64(len(f.table.slots) - 1)
	for i := range batch {
		l.aims[i].set(batch[i].Src, batch[i].Dst, f.table.seed)
	}
	for i := range batch { // by itself: a short loop has more reads under way at a time
		touched += uint64(f.table.slots[l.aims[i].hash&mask].hash)
	}
	for i := range batch {
		l.places[i] = f.table.likely(l.aims[i].hash)
		touched += f.roster.heads[l.places[i]].key.loLo
	}
	for i := range batch {
		touched += f.backlog.touch(&f.roster.heads[l.places[i]])
	}
	l.touched += touched
}

// touch reads something of most cache lines of fl.
func (fl *flow) touch() uint64 {
	sum := uint64(fl.id) + uint64(fl.start) + fl.rst.frame + uint64(fl.tw[0].since) + uint64(fl.tw[1].since)
	for e := range fl.half {
		h := &fl.half[e]
		sum += uint64(h.nxt) + uint64(h.lastTime) + uint64(h.finEnd) + uint64(h.finTime) + uint64(h.ackStep) +
			uint64(h.before[0].sum) + uint64(h.zeek.gaps)
	}
	for i := range fl.records {
		sum += fl.records[i].frame
	}
	for i := 0; i < len(fl.changes); i += 2 {
		sum += fl.changes[i].frame
	}
	return sum
}

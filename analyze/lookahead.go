package analyze

import "closecap/analyze/event"

// lookAhead is what the next few segments are for. A flow that is not in a core's cache takes
// as long to fetch as several segments to follow; asked for together, the flows of a few
// segments come in little more time than one of them.
type lookAhead struct {
	aims    [32]aim
	flows   [32]*flow
	touched uint64 // keeps the reads from being left out
}

// Segments takes the next segments, as Segment does one by one, in less time.
func (f *Follower) Segments(batch []event.Segment) {
	for len(batch) > 0 {
		n := min(len(batch), len(f.ahead.aims))
		f.ahead.look(&f.flows, batch[:n])
		for i := range n {
			f.count(&batch[i])
			a, fl := &f.ahead.aims[i], f.ahead.flows[i]
			if fl == nil || !fl.live || !fl.key.equal(&a.key) {
				fl = f.flows.find(&a.key, a.hash)
			}
			f.route(&batch[i], a, fl)
		}
		batch = batch[n:]
	}
}

// look aims segments at their flows and touches these. What it finds is only likely: the
// segments before may end a flow, or begin one.
func (l *lookAhead) look(t *flowTable, batch []event.Segment) {
	if len(t.slots) == 0 {
		t.resize(minSlots)
	}
	touched := uint64(0)
	mask := uint64(len(t.slots) - 1)
	for i := range batch {
		a := &l.aims[i]
		a.key, a.swapped = keyOf(batch[i].Src, batch[i].Dst)
		a.hash = a.key.hash(t.seed)
	}
	for i := range batch { // by itself: a short loop has more reads under way at a time
		touched += t.slots[l.aims[i].hash&mask].hash
	}
	for i := range batch {
		fl := t.likely(l.aims[i].hash)
		l.flows[i] = fl
		if fl != nil {
			touched += fl.touch()
		}
	}
	for i := range batch {
		const special = event.SYN | event.FIN | event.RST
		switch fl := l.flows[i]; {
		case fl == nil:
		case !fl.calm || batch[i].Flags&special != 0:
			touched += fl.touchDetail()
		case fl.half[0].letters&fl.half[1].letters != zeekOnceA|zeekOnceD:
			touched += fl.touchLetters()
		}
	}
	l.touched += touched
}

// likely returns a flow whose key has that hash, so that it is hardly another's.
func (t *flowTable) likely(hash uint64) *flow {
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; t.slots[i].fl != nil; i = (i + 1) & mask {
		if t.slots[i].hash == hash {
			return t.slots[i].fl
		}
	}
	return nil
}

// touch reads something of each cache line of fl.
func (fl *flow) touch() uint64 {
	return fl.omitted + uint64(fl.half[0].nxt) + uint64(fl.half[0].nxtAbs) +
		uint64(fl.half[1].lastAck) + uint64(fl.half[1].nxtAbs)
}

// touchLetters reads what the first data and the first acknowledgement of an end change.
func (fl *flow) touchLetters() uint64 {
	d := fl.detail
	return uint64(d.zeek.ended) + uint64(d.halves[0].zeek.gaps) + uint64(d.halves[1].zeek.gaps) + uint64(d.letterRoom[0])
}

// touchDetail reads something of most cache lines of fl's detail, and where the next record
// and the next change will stand.
func (fl *flow) touchDetail() uint64 {
	d := fl.detail
	sum := uint64(d.id) + uint64(d.start) + d.rst.frame + uint64(d.tw[0].since) + uint64(d.tw[1].since)
	for e := range d.halves {
		h := &d.halves[e]
		sum += uint64(h.finEnd) + uint64(h.finTime) + uint64(h.ackStep) + uint64(h.before[0].sum) + uint64(h.zeek.gaps)
	}
	if n := len(d.records); n < cap(d.records) {
		sum += d.records[: n+1 : n+1][n].frame
	}
	if n := len(d.changes); n < cap(d.changes) {
		sum += d.changes[: n+1 : n+1][n].frame
	}
	return sum
}

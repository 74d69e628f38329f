package tcp

import "slices"

// Span is the range [from, to) of a direction's stream.
type Span struct{ From, To int64 }

// maxGaps bounds how many gaps of a direction are told apart; what was skipped longest ago then
// counts as missing, whatever comes.
const maxGaps = 64

// skip notes that the capture holds [from, to) neither in order nor yet at all. from is not
// before any other gap.
func (d *Direction) skip(from, to int64) {
	d.Holes += to - from
	d.addGap(len(d.Gaps), Span{from, to})
}

func (d *Direction) addGap(i int, g Span) {
	d.Gaps = slices.Insert(d.Gaps, i, g)
	if len(d.Gaps) > maxGaps {
		d.Gaps = slices.Delete(d.Gaps, 0, 1)
	}
}

// fill takes [from, to) out of the gaps and returns how many bytes of it they held.
func (d *Direction) fill(from, to int64) int64 {
	var n int64
	for i := len(d.Gaps) - 1; i >= 0 && d.Gaps[i].To > from; i-- {
		g := d.Gaps[i]
		a, b := max(from, g.From), min(to, g.To)
		if a >= b {
			continue
		}
		n += b - a
		switch {
		case a == g.From && b == g.To:
			d.Gaps = slices.Delete(d.Gaps, i, i+1)
		case a == g.From:
			d.Gaps[i].From = b
		case b == g.To:
			d.Gaps[i].To = a
		default:
			d.Gaps[i].To = a
			d.addGap(i+1, Span{b, g.To})
		}
	}
	d.Holes -= n
	return n
}

// had reports whether p had acknowledged [from, to) of d's stream already.
func (d *Direction) had(p *Direction, from, to int64) bool {
	if from < 1 { // Una begins at the first segment captured
		return p.Sent && p.lastAck >= to
	}
	return from < d.Una
}

// fresh takes in the payload [from, to) and returns how much of it was not captured before.
// Of a stream that began before the capture, what lies before its first segment may come late.
func (d *Direction) fresh(from, to int64) int64 {
	n := d.fill(from, to)
	to = d.Payload(to)
	n += max(0, to-max(from, d.Nxt))
	if early := min(to, d.low) - from; early > 0 && !d.SynSent {
		n += early
		if to < d.low {
			d.Holes += d.low - to
			d.addGap(0, Span{to, d.low})
		}
	}
	d.low = min(d.low, from)
	return n
}

// LacksBehind reports whether not all that d sent behind pos was captured, up to the end of what was.
func (d *Direction) LacksBehind(pos int64) bool {
	return d.low > pos || slices.ContainsFunc(d.Gaps, func(g Span) bool { return g.To > pos })
}

// lacks reports whether pos lies before or within what was not captured of d.
func (d *Direction) lacks(pos int64) bool {
	return !d.SynSent && pos < d.low || slices.ContainsFunc(d.Gaps, func(g Span) bool { return g.From < pos && pos < g.To })
}

// LacksLast reports whether what stands last of what d is known to have sent was not captured.
func (d *Direction) LacksLast() bool {
	return slices.ContainsFunc(d.Gaps, func(g Span) bool { return g.To == d.Nxt })
}

package analyze

import "slices"

// span is the range [from, to) of a half's stream.
type span struct{ from, to int64 }

// maxGaps bounds how many gaps of a half are told apart; what was skipped longest ago then
// counts as missing, whatever comes.
const maxGaps = 64

// skip notes that the capture holds [from, to) neither in order nor yet at all. from is not
// before any other gap.
func (h *half) skip(from, to int64) {
	h.holes += to - from
	h.addGap(len(h.gaps), span{from, to})
}

func (h *half) addGap(i int, g span) {
	h.gaps = slices.Insert(h.gaps, i, g)
	if len(h.gaps) > maxGaps {
		h.gaps = slices.Delete(h.gaps, 0, 1)
	}
}

// fill takes [from, to) out of the gaps and returns how many bytes of it they held.
func (h *half) fill(from, to int64) int64 {
	var n int64
	for i := len(h.gaps) - 1; i >= 0 && h.gaps[i].to > from; i-- {
		g := h.gaps[i]
		a, b := max(from, g.from), min(to, g.to)
		if a >= b {
			continue
		}
		n += b - a
		switch {
		case a == g.from && b == g.to:
			h.gaps = slices.Delete(h.gaps, i, i+1)
		case a == g.from:
			h.gaps[i].from = b
		case b == g.to:
			h.gaps[i].to = a
		default:
			h.gaps[i].to = a
			h.addGap(i+1, span{b, g.to})
		}
	}
	h.holes -= n
	return n
}

// had reports whether p had acknowledged [from, to) of h's stream already.
func (h *half) had(p *half, from, to int64) bool {
	if from < 1 { // una begins at the first segment captured
		return p.sent && p.lastAck >= to
	}
	return from < h.una
}

// fresh takes in the payload [from, to) and returns how much of it was not captured before.
// Of a stream that began before the capture, what lies before its first segment may come late.
func (h *half) fresh(from, to int64) int64 {
	n := h.fill(from, to)
	to = h.payload(to)
	if over := to - max(from, h.nxt); over > 0 {
		n += over
	}
	if early := min(to, h.low) - from; early > 0 && !h.synSent {
		n += early
		if to < h.low {
			h.holes += h.low - to
			h.addGap(0, span{to, h.low})
		}
	}
	h.low = min(h.low, from)
	return n
}

package points

import (
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// states takes back the newest state of an end that is told by a segment which the point nearest to that end does not
// show: it did not come there, or, an RST in its own name, did not leave from there.
func (j *Joined) states(c *analyze.Connection) {
	for _, side := range [...]analyze.Side{analyze.Client, analyze.Server} {
		of := c.States.Of(side)
		n := len(*of)
		if n == 0 {
			continue
		}
		ch := (*of)[n-1]
		i := slices.IndexFunc(c.Segments, func(s *analyze.Segment) bool { return s.Frame == ch.Frame })
		if i < 0 || j.moves(c, i, side) {
			continue
		}
		*of = slices.Clone((*of)[:n-1])
		if ch.State == event.TimeWait {
			c.TimeWait = slices.DeleteFunc(slices.Clone(c.TimeWait), func(w analyze.TimeWait) bool { return w.Holder == side })
			continue
		}
		if k := j.movesLater(c, i, side); k >= 0 {
			s := c.Segments[k]
			ch.Frame, ch.Time, ch.Confidence = s.Frame, max(ch.Time, s.Time), analyze.Inferred
			*of, s.Ignored = append(*of, ch), ""
		}
	}
}

// movesLater returns the first segment behind c's i-th that tells an end the same and did come there, -1 for none.
func (j *Joined) movesLater(c *analyze.Connection, i int, side analyze.Side) int {
	first := c.Segments[i]
	for k := i + 1; k < len(c.Segments); k++ {
		s := c.Segments[k]
		same := s.Flags.Has(event.RST) && first.Flags.Has(event.RST) || s.From == first.From && !s.Flags.Has(event.RST) && s.Ack >= first.Ack
		if same && j.moves(c, k, side) {
			return k
		}
	}
	return -1
}

// moves reports whether c's i-th segment came to an end, or left it, as far as the point nearest to it tells. It does
// not where it missed packets, or the end's newest one before: its capture may have been over.
func (j *Joined) moves(c *analyze.Connection, i int, side analyze.Side) bool {
	s := c.Segments[i]
	if s.From == side && !s.Flags.Has(event.RST) {
		return true
	}
	at, _, ok := j.shown(s.Frame)
	if !ok {
		return true
	}
	g, p := at.group, int(at.packet)
	m := g.firstOf(int(g.from[p]), all)
	if s.From != side {
		m = g.lastOf(int(g.from[p]), all)
	}
	if m < 0 || !j.sound[g.at[m].point] || g.vague[p] != definite || g.passed(p, m) || g.strayed(p, j.strays) {
		return true
	}
	for k := i - 1; k >= 0; k-- {
		if before := c.Segments[k]; before.From == side && !before.Flags.Has(event.RST) {
			b, _, ok := j.shown(before.Frame)
			return !ok || !g.passed(int(b.packet), m)
		}
	}
	return true
}

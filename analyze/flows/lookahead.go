package flows

import (
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows/prefetch"
)

// groupSize is how many segments are looked at together, each for a line at each step.
const groupSize = prefetch.Most / 3

// lookAhead is what the next few groups of segments are for. A connection that is not in a
// core's cache takes as long to fetch as several segments to keep. So its slot of the table is
// asked for three groups before, its head two and the place of the segment in the backlog one:
// all of it comes while other groups are followed.
type lookAhead struct {
	groups [4]group
	lines  prefetch.Lines
}

type group struct {
	aims   [groupSize]aim
	places [groupSize]place // only likely: the segments before may end a connection, or begin one
}

// Segments takes the next segments, as Segment does one by one, in less time.
func (f *Follower) Segments(batch []event.Segment) { f.Spoken(batch, nil, nil) }

// Spoken takes the next segments with their payload, one after the other as far as it was captured; ends says where in
// it that of each ends. It keeps nothing of either.
func (f *Follower) Spoken(batch []event.Segment, payload []byte, ends []int) {
	f.speech = speech{all: payload, ends: ends}
	for i := 0; (i-3)*groupSize < len(batch); i++ {
		f.aimAt(batch, i)
		f.look(batch, i-1)
		f.reach(batch, i-2)
		f.ahead.lines.Ask()
		f.routeAll(batch, i-3)
	}
}

// group returns the i-th group of a batch and what is known of it; there may be none.
func (f *Follower) group(batch []event.Segment, i int) ([]event.Segment, *group) {
	if i < 0 || i*groupSize >= len(batch) {
		return nil, nil
	}
	return batch[i*groupSize : min((i+1)*groupSize, len(batch))], &f.ahead.groups[i%len(f.ahead.groups)]
}

// aimAt aims a group at its connections; their slots are to be asked for.
func (f *Follower) aimAt(batch []event.Segment, i int) {
	segments, g := f.group(batch, i)
	for j := range segments {
		s := &segments[j]
		g.aims[j].set(s.Src, s.Dst, f.table.seed)
		f.ahead.lines.Add(f.table.home(g.aims[j].hash))
	}
}

// look finds the heads to be asked for.
func (f *Follower) look(batch []event.Segment, i int) {
	segments, g := f.group(batch, i)
	for j := range segments {
		g.places[j] = f.table.likely(g.aims[j].hash)
		f.ahead.lines.Add(&f.roster.heads[g.places[j]].key.loLo)
	}
}

// reach finds where the segments will be kept.
func (f *Follower) reach(batch []event.Segment, i int) {
	segments, g := f.group(batch, i)
	for j := range segments {
		h := &f.roster.heads[g.places[j]]
		if t := f.backlog.end(h); t != nil {
			f.ahead.lines.Add(&t.frame)
		}
		if f.words != nil && segments[j].Len > 0 {
			f.fetchWords(h, g.places[j])
		}
	}
}

func (f *Follower) routeAll(batch []event.Segment, i int) {
	segments, g := f.group(batch, i)
	for j := range segments {
		s, a, p := &segments[j], &g.aims[j], g.places[j]
		f.speech.segment, f.speech.at = s, i*groupSize+j
		f.count(s)
		if h := &f.roster.heads[p]; h.id == 0 || !h.key.equal(&a.key) {
			p = f.table.find(f.roster.heads, &a.key, a.hash)
		}
		f.route(s, a, p)
	}
}

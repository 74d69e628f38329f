package partial

import (
	"fmt"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows"
)

// union hands out the segments of parts, each once: by connection, and each connection's as the timeline had
// them. It is a heap of readers, the one that comes next on top, so that of any connection, however large, one
// segment is held of each part.
type union struct {
	heap  []*reader
	point string
	shown event.Segment
	pair  event.Pair
	where position
}

// unite returns the union of parts, which have to be of one point.
func unite(parts [][]byte) (*union, error) {
	u := &union{}
	for i, part := range parts {
		r, err := open(part)
		if err != nil {
			return nil, fmt.Errorf("part %d of %d: %w", i+1, len(parts), err)
		}
		if i > 0 && r.point != u.point {
			return nil, fmt.Errorf("unite parts: they are of points %q and %q", u.point, r.point)
		}
		u.point = r.point
		switch ok, err := r.next(); {
		case err != nil:
			return nil, fmt.Errorf("part %d of %d: %w", i+1, len(parts), err)
		case ok:
			u.heap = append(u.heap, r)
		}
	}
	for i := len(u.heap)/2 - 1; i >= 0; i-- {
		u.sink(i)
	}
	return u, nil
}

func (u *union) less(a, b *reader) bool {
	if c := comparePairs(a.pair, b.pair); c != 0 {
		return c < 0
	}
	return a.where.compare(b.where) < 0
}

func (u *union) sink(i int) {
	for h := u.heap; ; {
		down := 2*i + 1
		if down >= len(h) {
			return
		}
		if down+1 < len(h) && u.less(h[down+1], h[down]) {
			down++
		}
		if !u.less(h[down], h[i]) {
			return
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
}

// next hands out the next segment, valid until the following call, nil at the end. Parts that say different
// things of one place in the timeline are an error.
func (u *union) next() (*event.Segment, error) {
	for len(u.heap) > 0 {
		top := u.heap[0]
		fresh := top.pair != u.pair || top.where != u.where
		if fresh {
			u.shown, u.pair, u.where = top.segment, top.pair, top.where
		} else if u.shown != top.segment {
			return nil, fmt.Errorf("unite parts: two different segments are frame %d: they are of different timelines", top.segment.Frame)
		}
		ok, err := top.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			last := len(u.heap) - 1
			u.heap[0] = u.heap[last]
			u.heap = u.heap[:last]
		}
		if len(u.heap) > 0 {
			u.sink(0)
		}
		if fresh {
			return &u.shown, nil
		}
	}
	return nil, nil
}

// Merge unites parts of one point: what comes out depends on the segments in them alone. It is more than one
// part where they are too many for that.
func Merge(parts [][]byte) (merged [][]byte, err error) {
	u, err := unite(parts)
	if err != nil {
		return nil, err
	}
	w := writer{point: u.point, emit: func(part []byte) error { merged = append(merged, part); return nil }}
	var of *run
	for {
		s, err := u.next()
		if err != nil {
			return nil, err
		}
		if of != nil && (s == nil || u.pair != of.pair) {
			w.run(of) // its only error is emit's
			of = nil
		}
		if s == nil {
			w.flush()
			return merged, nil
		}
		if of == nil {
			of = &run{pair: u.pair}
		}
		of.add(s, u.where)
	}
}

// Reduce follows the connections that stand in parts, which hold all that one point saw of their 4-tuples
// in a timeline that ended at end, the time of its latest segment. It hands each to done, with an ID that
// counts them; where they end is not in the order of time. What it says of them is what a Follower
// says that had no more than it could remember, and told nothing of one by another. Connections before an error have been handed out.
func Reduce(parts [][]byte, end event.Time, opt analyze.Options, done func(*analyze.Connection)) error {
	u, err := unite(parts)
	if err != nil {
		return err
	}
	f := flows.NewFollower(opt, done)
	f.Alone()
	var pair event.Pair
	for {
		s, err := u.next()
		if err != nil {
			return err
		}
		if s == nil || u.pair != pair {
			f.Pass(end)
			f.Finish()
			f.Restart()
		}
		if s == nil {
			return nil
		}
		pair = u.pair
		f.Segment(s)
	}
}

// Unpack hands out the segments of parts of one point, each once, by 4-tuple and in the order of the timeline; one is
// valid until the next.
func Unpack(parts [][]byte, each func(*event.Segment)) error {
	u, err := unite(parts)
	if err != nil {
		return err
	}
	for {
		s, err := u.next()
		if s == nil || err != nil {
			return err
		}
		each(s)
	}
}

// PointOf returns the point of a part.
func PointOf(part []byte) (string, error) {
	r, err := open(part)
	if err != nil {
		return "", err
	}
	return r.point, nil
}

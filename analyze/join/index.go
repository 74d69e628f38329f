package join

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// order finds, among keys that stand in some other order than their own, the first or last
// one that reaches a bound, in O(log n): a tree of the largest key of each block, where there is
// more than one.
type order struct {
	keys []int64
	most []int64 // of block b at most[len/2+b], of two nodes i at i/2
}

const blockKeys = 32

func newOrder(keys []int64) order {
	if len(keys) <= blockKeys {
		return order{keys: keys}
	}
	blocks := (len(keys) + blockKeys - 1) / blockKeys
	leaves := 1 << bits.Len(uint(blocks-1))
	o := order{keys: keys, most: make([]int64, 2*leaves)}
	for i := range o.most {
		o.most[i] = math.MinInt64
	}
	for i, k := range keys {
		at := leaves + i/blockKeys
		o.most[at] = max(o.most[at], k)
	}
	for i := leaves - 1; i > 0; i-- {
		o.most[i] = max(o.most[2*i], o.most[2*i+1])
	}
	return o
}

// last returns the largest index below end whose key is at least bound, -1 when there is none.
func (o *order) last(end int, bound int64) int {
	if end <= 0 {
		return -1
	}
	leaves := len(o.most) / 2
	block := (end - 1) / blockKeys // the only one has no node, and its number is 0
	for i := end - 1; i >= block*blockKeys; i-- {
		if o.keys[i] >= bound {
			return i
		}
	}
	for node := leaves + block; node > 1; node /= 2 {
		if node&1 == 0 || o.most[node-1] < bound {
			continue
		}
		for node--; node < leaves; {
			node = 2*node + 1
			if o.most[node] < bound {
				node--
			}
		}
		i := min((node-leaves+1)*blockKeys, len(o.keys)) - 1
		for i >= 0 && o.keys[i] < bound {
			i--
		}
		return i
	}
	return -1
}

// first returns the smallest index whose key is at least bound, -1 when there is none.
func (o *order) first(bound int64) int {
	i := 0
	if leaves := len(o.most) / 2; leaves > 0 {
		node := 1
		for node < leaves {
			node *= 2
			if o.most[node] < bound {
				node++
			}
		}
		i = min((node-leaves)*blockKeys, len(o.keys))
	}
	for i < len(o.keys) && o.keys[i] < bound {
		i++
	}
	if i == len(o.keys) {
		return -1
	}
	return i
}

// callList is calls of one kind and side in order of start.
type callList struct {
	calls []*analyze.Call
	ends  order
}

func newCallList(calls []*analyze.Call) *callList {
	keys := make([]int64, len(calls))
	for i, c := range calls {
		keys[i] = int64(lastMoment(c))
	}
	return &callList{calls: calls, ends: newOrder(keys)}
}

// lastMoment is the latest time at which the call still runs.
func lastMoment(c *analyze.Call) event.Time {
	if c.End == 0 && c.Abandoned == 0 {
		return math.MaxInt64
	}
	return max(c.End, c.Abandoned)
}

// begun counts the calls that had begun at t.
func (l *callList) begun(t event.Time) int {
	n, _ := slices.BinarySearchFunc(l.calls, t, func(c *analyze.Call, t event.Time) int {
		if c.Start <= t {
			return -1
		}
		return 1
	})
	return n
}

// lastAt returns the latest begun call that t lies in and that ok accepts; nil when there is
// none.
func (l *callList) lastAt(t event.Time, ok func(*analyze.Call) bool) *analyze.Call {
	for i := l.ends.last(l.begun(t), int64(t)); i >= 0; i = l.ends.last(i, int64(t)) {
		if ok == nil || ok(l.calls[i]) {
			return l.calls[i]
		}
	}
	return nil
}

// firstAt returns the first begun call that t lies in; nil when there is none.
func (l *callList) firstAt(t event.Time) *analyze.Call {
	if i := l.ends.first(int64(t)); i >= 0 && within(l.calls[i], t) {
		return l.calls[i]
	}
	return nil
}

// before returns the first of the calls if it began before c, else nil.
func (l *callList) before(c *analyze.Call) *analyze.Call {
	if len(l.calls) == 0 || l.calls[0].Row >= c.Row {
		return nil
	}
	return l.calls[0]
}

// segmentList is segments of one kind and sender in capture order, which need not be that of
// their times.
type segmentList struct {
	segments []*analyze.Segment
	early    order // by time, the earliest is the largest
	late     order // by time; made when it is asked for
}

func newSegmentList(segments []*analyze.Segment) *segmentList {
	early := make([]int64, len(segments))
	for i, s := range segments {
		early[i] = ^int64(s.Time)
	}
	return &segmentList{segments: segments, early: newOrder(early)}
}

// lastUpTo returns the last segment up to t that ok accepts; nil when there is none.
func (l *segmentList) lastUpTo(t event.Time, ok func(*analyze.Segment) bool) *analyze.Segment {
	for i := l.early.last(len(l.segments), ^int64(t)); i >= 0; i = l.early.last(i, ^int64(t)) {
		if ok == nil || ok(l.segments[i]) {
			return l.segments[i]
		}
	}
	return nil
}

// firstUpTo returns the first segment that is not later than t; nil when there is none.
func (l *segmentList) firstUpTo(t event.Time) *analyze.Segment {
	if i := l.early.first(^int64(t)); i >= 0 {
		return l.segments[i]
	}
	return nil
}

// firstFrom returns the first segment that is not earlier than t; nil when there is none.
func (l *segmentList) firstFrom(t event.Time) *analyze.Segment {
	if l.late.most == nil {
		late := make([]int64, len(l.segments))
		for i, s := range l.segments {
			late[i] = int64(s.Time)
		}
		l.late = newOrder(late)
	}
	if i := l.late.first(int64(t)); i >= 0 {
		return l.segments[i]
	}
	return nil
}

// byteIndex finds segments of one sender by the bytes that they first brought.
type byteIndex struct {
	segments  []*analyze.Segment // by where they begin
	positions []int              // in capture order
	ends      order
}

func newByteIndex(segments []*analyze.Segment) *byteIndex {
	x := &byteIndex{positions: make([]int, len(segments)), segments: make([]*analyze.Segment, 0, len(segments))}
	for i := range x.positions {
		x.positions[i] = i
	}
	slices.SortStableFunc(x.positions, func(i, j int) int { return cmp.Compare(segments[i].Seq, segments[j].Seq) })
	keys := make([]int64, len(segments))
	for i, at := range x.positions {
		s := segments[at]
		x.segments = append(x.segments, s)
		keys[i] = s.Seq + int64(s.Len)
	}
	x.ends = newOrder(keys)
	return x
}

// meets returns the segments with any of the bytes [from, to) of the stream, in capture order.
// The first byte's sequence number is 1.
func (x *byteIndex) meets(from, to uint64) []*analyze.Segment {
	end, _ := slices.BinarySearchFunc(x.segments, int64(to)+1, func(s *analyze.Segment, t int64) int { return cmp.Compare(s.Seq, t) })
	var found []int
	for i := x.ends.last(end, int64(from)+2); i >= 0; i = x.ends.last(i, int64(from)+2) {
		found = append(found, i)
	}
	slices.SortFunc(found, func(i, j int) int { return cmp.Compare(x.positions[i], x.positions[j]) })
	out := make([]*analyze.Segment, len(found))
	for i, at := range found {
		out[i] = x.segments[at]
	}
	return out
}

package join

import (
	"cmp"
	"slices"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// linker joins calls with the segments of the connections they were made on.
type linker struct {
	res     *analyze.Result
	conns   []*linked
	byID    map[int]*linked
	calls   numbered
	listens map[uint16]*callList // closing calls on listening sockets, by port
	syns    map[[2]uint16][]*synOf

	departed map[uint64]int // by frame: the call that handed it to the network device
	told     *told          // by the kernel; nil where nobody asked it
}

// link fills in everything about res that needs calls. departed says, by frame, in which call a segment
// left, where a kernel was asked.
func link(res *analyze.Result, calls []*event.Call, departed map[uint64]int, told *told) {
	l := &linker{
		res: res, departed: departed, told: told,
		conns: make([]*linked, len(res.Connections)),
		byID:  make(map[int]*linked, len(res.Connections)),
	}
	for i, c := range res.Connections {
		lc := &linked{Connection: c, row: i}
		l.conns[i], l.byID[c.ID] = lc, lc
	}
	slab := make([]analyze.Call, len(calls))
	res.Calls = make([]*analyze.Call, len(calls))
	for i, call := range calls {
		c := &slab[i]
		c.Call, c.Caused, c.ReturnedBy = call, []uint64{}, []uint64{}
		res.Calls[i] = c
	}
	l.calls = newNumbered(res.Calls)
	slices.SortStableFunc(res.Calls, func(a, b *analyze.Call) int { return cmp.Compare(a.Start, b.Start) })
	for i, c := range res.Calls {
		c.Row = i
	}

	l.assign()
	for _, c := range l.conns {
		c.inferHolders()
	}
	l.ranges()
	l.roots()
	l.returns()
	l.explain()
	l.uncaptured()
	l.noPorts()
	l.sample()
	for _, c := range l.conns {
		c.vouchCloser()
		c.kernelStates()
		l.reset(c)
		c.forgetLikely()
		l.lostAfterClose(c)
		l.vouch(c)
		l.heed(c)
		l.unread(c)
		if res.Capture.Dropped == 0 || c.Whole {
			c.discards()
		}
		c.timeWait()
		c.Explains = analyze.Topic(c.Connection)
	}
	l.relays()
	l.upstreams()
}

// numbered finds calls by number, the last given where several have one.
type numbered struct {
	dense  []*analyze.Call // by number, as in a recording, which counts them
	sparse map[int]*analyze.Call
}

func newNumbered(calls []*analyze.Call) numbered {
	least, most := 1, 0
	for _, c := range calls {
		least, most = min(least, c.ID), max(most, c.ID)
	}
	var n numbered
	if least < 1 || most > 8*len(calls) {
		n.sparse = make(map[int]*analyze.Call, len(calls))
	} else {
		n.dense = make([]*analyze.Call, most+1)
	}
	for _, c := range calls {
		if n.sparse != nil {
			n.sparse[c.ID] = c
		} else {
			n.dense[c.ID] = c
		}
	}
	return n
}

func (n *numbered) get(id int) *analyze.Call {
	if id > 0 && id < len(n.dense) {
		return n.dense[id]
	}
	return n.sparse[id]
}

// within reports whether t lies inside the call.
func within(c *analyze.Call, t event.Time) bool { return c.Start <= t && t <= lastMoment(c) }

// linked is a connection with its calls in order of start. Its lists are made when first asked
// for, and from the holders and byte ranges that the calls have then.
type linked struct {
	*analyze.Connection
	row     int // place in Result.Connections
	calls   []*analyze.Call
	samples []sampleOf
	known   [2]bool          // whether any call of the side was recorded
	ways    [2]time.Duration // how long each side took to answer in the handshake, 0 where that is not captured
	rival   bool             // its client's connect may be one of several

	bySide   [2][]*analyze.Call
	made     [len(callClasses)][2]*callList
	sent     [len(segmentClasses)][3]*segmentList
	bytes    [2]*byteIndex
	frames   []*analyze.Segment // by number
	previous [2][]int32         // of each segment, the place of the last one before it from each side
}

// callClass is a list of calls that the linker asks for.
type callClass uint8

const (
	anyCalls callClass = iota
	connects
	rangedSends
	openSends
	resetters
	acknowledgers
	writeEnders
	writeShutdowns
	readShutdowns
	timeouts
	lastCloses
	ringEnds // of processes whose io_uring may have held the socket
	usable
)

var callClasses = [...]func(*analyze.Call) bool{
	anyCalls:       func(*analyze.Call) bool { return true },
	connects:       func(c *analyze.Call) bool { return c.Kind() == event.ConnectCall || c.Kind() == event.SendCall },
	rangedSends:    func(c *analyze.Call) bool { return c.Kind() == event.SendCall && c.Bytes != nil },
	openSends:      func(c *analyze.Call) bool { return c.Kind() == event.SendCall && c.Bytes == nil },
	resetters:      mayReset,
	acknowledgers:  acknowledges,
	writeEnders:    endsWriting,
	writeShutdowns: func(c *analyze.Call) bool { return c.Kind() == event.ShutdownCall && endsWriting(c) },
	readShutdowns: func(c *analyze.Call) bool {
		return c.Kind() == event.ShutdownCall && c.Errno == "" && c.Args != "SHUT_WR"
	},
	timeouts:   func(c *analyze.Call) bool { return c.Errno == "ETIMEDOUT" },
	lastCloses: func(c *analyze.Call) bool { return c.Kind() == event.CloseCall && c.Errno == "" && len(c.Holders) == 0 },
	ringEnds:   func(c *analyze.Call) bool { return c.Ring && c.EndsProcess() },
	usable:     func(c *analyze.Call) bool { return c.Errno != "EBADF" },
}

// callsOf returns the calls of that class which side made.
func (lc *linked) callsOf(class callClass, side analyze.Side) *callList {
	list := &lc.made[class][columnOf(side)]
	if *list == nil {
		*list = newCallList(picked(lc.callsBy(side), callClasses[class]))
	}
	return *list
}

func (lc *linked) callsBy(side analyze.Side) []*analyze.Call {
	list := &lc.bySide[columnOf(side)]
	if *list == nil {
		*list = picked(lc.calls, func(c *analyze.Call) bool { return c.Side == side })
	}
	return *list
}

// segmentClass is a list of segments that the linker asks for.
type segmentClass uint8

const (
	synSegments segmentClass = iota
	synAckSegments
	finSegments
	dataFins      // MPTCP's
	rstSegments   // that were acted on, like all below
	finAckers     // what may acknowledge a FIN
	roomMakers    // what may let a send go on
	afterTheSyn   // all but SYN
	freshSegments // with bytes of the stream that were not sent before
)

var segmentClasses = [...]func(*analyze.Segment) bool{
	synSegments:    func(s *analyze.Segment) bool { return s.Kind == analyze.KindSyn },
	synAckSegments: func(s *analyze.Segment) bool { return s.Kind == analyze.KindSynAck && s.Ignored == "" },
	finSegments:    func(s *analyze.Segment) bool { return s.Kind == analyze.KindFin },
	dataFins:       func(s *analyze.Segment) bool { return s.DataFin },
	rstSegments:    func(s *analyze.Segment) bool { return s.Kind == analyze.KindRst && s.Ignored == "" },
	finAckers: func(s *analyze.Segment) bool {
		return (s.Kind == analyze.KindAck || s.Kind == analyze.KindFin) && s.Ignored == ""
	},
	roomMakers: func(s *analyze.Segment) bool {
		return (s.Kind == analyze.KindAck || s.Kind == analyze.KindWindow || s.Kind == analyze.KindData) && s.Ignored == ""
	},
	afterTheSyn: func(s *analyze.Segment) bool { return s.Kind != analyze.KindSyn },
	freshSegments: func(s *analyze.Segment) bool {
		return s.Len != 0 && s.Seq >= 1 && s.Retransmits == 0 && s.Ignored == ""
	},
}

// segmentsOf returns the segments of that class from side, from both for NoSide.
func (lc *linked) segmentsOf(class segmentClass, side analyze.Side) *segmentList {
	list := &lc.sent[class][columnOf(side)]
	if *list == nil {
		*list = newSegmentList(lc.pick(class, side))
	}
	return *list
}

func (lc *linked) pick(class segmentClass, side analyze.Side) []*analyze.Segment {
	return picked(lc.Segments, func(s *analyze.Segment) bool {
		return (side == analyze.NoSide || s.From == side) && segmentClasses[class](s)
	})
}

// picked returns those of list that ok accepts, in memory of just that size.
func picked[T any](list []T, ok func(T) bool) []T {
	n := 0
	for _, x := range list {
		if ok(x) {
			n++
		}
	}
	out := make([]T, 0, n)
	for _, x := range list {
		if ok(x) {
			out = append(out, x)
		}
	}
	return out
}

// bytesOf returns the index of the bytes that side sent.
func (lc *linked) bytesOf(side analyze.Side) *byteIndex {
	x := &lc.bytes[columnOf(side)]
	if *x == nil {
		*x = newByteIndex(lc.pick(freshSegments, side))
	}
	return *x
}

// lastFrom returns the segment of side that came last before the one at place i.
func (lc *linked) lastFrom(side analyze.Side, i int) *analyze.Segment {
	list := &lc.previous[columnOf(side)]
	if *list == nil {
		*list = make([]int32, len(lc.Segments))
		last := int32(-1)
		for j, s := range lc.Segments {
			(*list)[j] = last
			if s.From == side {
				last = int32(j)
			}
		}
	}
	if at := (*list)[i]; at >= 0 {
		return lc.Segments[at]
	}
	return nil
}

// segment returns the segment of that number, nil when the connection has none. It is looked
// for around place near first: an answer stands close to what it answers.
func (lc *linked) segment(frame uint64, near int) *analyze.Segment {
	list := lc.frames
	if list == nil {
		byFrame := func(a, b *analyze.Segment) int { return cmp.Compare(a.Frame, b.Frame) }
		list = lc.Segments
		if !slices.IsSortedFunc(list, byFrame) { // a datagram given up before its last fragment came
			list = slices.SortedFunc(slices.Values(list), byFrame)
		}
		lc.frames = list
	}
	from, to := max(near, 0), len(list)
	for step := 1; from > 0 && list[from].Frame > frame; step *= 2 {
		from, to = max(0, from-step), from
	}
	i, found := slices.BinarySearchFunc(list[from:to], frame, func(s *analyze.Segment, f uint64) int { return cmp.Compare(s.Frame, f) })
	if !found {
		return nil
	}
	return list[from+i]
}

// column is 0 for the client, 1 for the server, and 2 for no side in particular.
func columnOf(s analyze.Side) int {
	switch s {
	case analyze.Client:
		return 0
	case analyze.Server:
		return 1
	}
	return 2
}

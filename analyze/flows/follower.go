// Package flows follows many connections at a time, in bounded memory: which connection a segment
// belongs to, what waits to be followed, when a connection is over and when it is forgotten.
//
// What a connection's segments mean is tcp's, compat's and verdict's to say. What is done
// for the processor's caches in following them stands here.
package flows

import (
	"math/rand/v2"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/tcp"
	"github.com/closecap/closecap/analyze/verdict"
	"github.com/closecap/closecap/analyze/words"
)

const (
	// embryoIdle is when a connection that was never established is over: Linux gives a SYN
	// up after 127 s.
	embryoIdle = 5 * time.Minute
	// expiresEach is how often the follower looks for connections that are over.
	expiresEach = event.Time(1e7)
	// inOrderTo is how exactly the list of open connections is kept in order: to move one to
	// its end costs more than to follow a segment.
	inOrderTo = event.Time(8e9)
	// slabSize is how many flows are allocated at a time.
	slabSize = 64
	// disorder is by how much packets may stand in the wrong order for the answers to be those of the
	// right one: so much later than due is a connection forgotten.
	disorder = time.Second
	// maxBacklog is how many segments of a connection wait before they are followed.
	maxBacklog = 32
)

// Stats counts what a Follower has seen.
type Stats struct {
	Segments  uint64
	Evicted   uint64 // open connections given up for memory's sake
	Resumed   uint64 // of those, that went on after all
	Hurried   uint64 // connections that were over, and judged before their time for memory's sake
	Strays    uint64 // late ACKs and resets of connections that were over and forgotten
	Truncated uint64 // segments that the capture cut
	Open      int    // connections held now, closed ones that wait included
	First     event.Time
	Last      event.Time
}

// Follower turns a stream of segments, in the order of capture, into connections.
//
// It holds the open connections, and closed ones for as long as their TIME_WAIT may be
// extended or reused; all else it forgets. A 4-tuple of which the capture holds nothing but
// an RST, or ACKs of one end, is a Connection too, with the ending unknown: so each segment
// stands somewhere, and other tools' counts agree.
//
// Instead of gopacket's reassembly, which merges FIN and RST, drops retransmissions and is
// off by one where sequence numbers wrap.
type Follower struct {
	opt      analyze.Options
	done     func(*analyze.Connection)
	handOver func(Finished)  // instead of done, when not nil
	words    *words.Numbered // see Hear; may be nil
	heard    *words.Heard    // see Heard
	speech   speech
	judge    verdict.Judge
	early    time.Duration // see Early; 0 for not early
	roster   roster
	table    table
	backlog  backlog
	departed departed
	free     []*followed
	met      int // flows in use
	// maxWaiting bounds the connections that are over, or seem to be, and are kept for what may still come.
	maxWaiting int
	now        event.Time
	// nextExpiry is when expire is to look again.
	nextExpiry event.Time
	nextID     int
	stats      Stats
	looked     uint64      // see stray
	alone      bool        // see Alone
	forgotten  [queues]int // of the lot that makes room: see makePlaces
	ahead      lookAhead
}

// NewFollower returns a Follower that hands each connection to done when nothing more can
// come of it.
func NewFollower(opt analyze.Options, done func(*analyze.Connection)) *Follower {
	if opt.TimeWait == 0 {
		opt.TimeWait = analyze.DefaultTimeWait
	}
	f := &Follower{opt: opt, done: done, table: newTable(rand.Uint64()), roster: newRoster()}
	f.bounds()
	return f
}

// Stats returns the counts so far.
func (f *Follower) Stats() Stats {
	st := f.stats
	st.Open = f.table.n
	return st
}

// Segment takes the next segment; it keeps nothing of s.
func (f *Follower) Segment(s *event.Segment) {
	f.count(s)
	f.reroute(s)
}

// count counts s and lets time pass until it.
func (f *Follower) count(s *event.Segment) {
	f.stats.Segments++
	if f.stats.First == 0 {
		f.stats.First = s.Time
	}
	if s.Time > f.now {
		f.now = s.Time
		f.stats.Last = s.Time
		if s.Time >= f.nextExpiry {
			f.expire()
		}
	}
	if s.Has&event.Truncated != 0 {
		f.stats.Truncated++
	}
}

// route gives s to the connection at p, or begins one with it when that is 0. Most segments
// wait with others of their connection: to follow several at once costs little more than one.
func (f *Follower) route(s *event.Segment, a *aim, p place) {
	if p == 0 {
		if !f.leftBehind(s, a) {
			f.push(f.begin(a, s), s, a)
		}
		return
	}
	h := &f.roster.heads[p]
	if s.Time-h.queued > soonest[h.queue] && f.isOver(p, s.Time) {
		f.finish(p)
		f.reroute(s)
		return
	}
	if h.marks&atOnce != 0 || s.Flags&event.SYN != 0 && (h.marks&anyEnd != 0 || s.Flags&event.ACK == 0 && !f.repeatsFirst(p, s, a)) {
		f.follow(p, s, a)
		return
	}
	f.push(p, s, a)
}

// leftBehind reports whether s, of a connection that is not held, belongs to one that is over and forgotten.
func (f *Follower) leftBehind(s *event.Segment, a *aim) bool {
	if s.Flags&event.SYN != 0 && s.Flags&event.RST == 0 {
		return false
	}
	switch f.departed.find(a.hash, s.Time) {
	case over:
		if startsNothing(s) {
			f.stats.Strays++
			return true
		}
	case givenUp:
		f.stats.Resumed++
	}
	return false
}

// push lets s wait at the connection at p.
func (f *Follower) push(p place, s *event.Segment, a *aim) {
	h := &f.roster.heads[p]
	if f.words != nil && !h.isQuiet(s) {
		f.hear(p, s, a.swapped, true)
	}
	f.backlog.push(h, s, a.swapped)
	if s.Flags&(event.FIN|event.RST) != 0 {
		h.markEnd(s, a.swapped)
	}
	switch {
	case h.waiting == maxBacklog:
		f.catchUp(p)
	case h.queue.unfollowed():
	case h.marks&rst != 0:
		f.roster.move(ending, p, s.Time)
	case h.marks&anyEnd == anyEnd:
		f.roster.move(closing, p, s.Time)
	case s.Time-h.queued >= inOrderTo:
		f.roster.move(h.queue, p, s.Time)
	}
	if h.waiting%chunkSize <= 1 { // a chunk or a flow may have been taken
		f.makeRoom()
	}
}

// repeatsFirst reports whether a SYN is that with which the connection at p began, of which
// nothing was followed yet.
func (f *Follower) repeatsFirst(p place, s *event.Segment, a *aim) bool {
	h := &f.roster.heads[p]
	if h.marks&met != 0 || h.queue.unfollowed() {
		return false
	}
	first := &f.backlog.at(h.firstChunk)[0]
	return first.flags&(event.SYN|event.ACK) == event.SYN && first.seq == s.Seq && first.swapped == a.swapped
}

// catchUp follows what waits at p.
func (f *Follower) catchUp(p place) {
	h := &f.roster.heads[p]
	if h.waiting == 0 {
		return
	}
	var ways [2]event.Segment
	ways[0].Src, ways[0].Dst = h.endpoints()
	ways[1].Src, ways[1].Dst = ways[0].Dst, ways[0].Src
	var fl *followed
	if h.marks&met != 0 { // where that stands is another miss
		fl = f.roster.flows[p]
	}
	last, hears := event.Time(0), f.words != nil && h.marks&(spoke|deaf) != spoke
	for t := range f.backlog.all(h) {
		s := &ways[b2i(t.swapped)]
		t.unpack(s)
		if hears && words.Says(s) {
			f.words.Quiet(uint32(p), s, t.swapped)
		}
		if fl == nil {
			fl = f.meet(p, s, t.swapped)
		}
		last = s.Time
		e := fl.Sender(t.swapped)
		if fl.steady && fl.FastPath(e, s) {
			fl.tools.Usual(e, s)
		} else {
			fl.follow(e, s)
		}
	}
	f.backlog.clear(h)
	f.requeue(fl, last)
}

// follow follows a segment of the connection at p at once.
func (f *Follower) follow(p place, s *event.Segment, a *aim) {
	f.catchUp(p)
	fl := f.roster.flows[p]
	e := fl.Sender(a.swapped)
	switch fl.Reuse(e, s) {
	case tcp.ReuseNow:
		f.reuse(fl, s)
		return
	case tcp.ReuseByHeld:
		f.reuse(fl, fl.Held())
		f.reroute(s)
		return
	case tcp.HoldBack:
		if fl.Hold(s) {
			fl.steady = false
			f.roster.heads[p].marks |= atOnce
			return
		}
	}
	if f.words != nil {
		f.hear(p, s, a.swapped, false)
	}
	fl.follow(e, s)
	f.requeue(fl, s.Time)
	f.makeRoom()
}

// EndForReuse ends fl in favour of the connection that s begins.
func (f *Follower) reuse(fl *followed, s *event.Segment) {
	held := fl.EndForReuse(s)
	f.finish(fl.place)
	if held != nil && held != s {
		f.reroute(held)
	}
	f.reroute(s)
}

// reroute finds the connection that s is for and routes s.
func (f *Follower) reroute(s *event.Segment) {
	var a aim
	a.set(s.Src, s.Dst, f.table.seed)
	f.route(s, &a, f.table.find(f.roster.heads, &a.key, a.hash))
}

// Begin gives a connection that s begins a place.
func (f *Follower) begin(a *aim, s *event.Segment) place {
	if n := &f.roster.n; n[alive]+n[embryos] >= f.opt.MaxConnections {
		f.evict(embryos, alive)
	}
	p := f.roster.admit()
	f.nextID++
	h := &f.roster.heads[p]
	h.key, h.id = a.key, uint32(f.nextID)
	h.markAddrs(s, a.swapped)
	if a.swapped != (s.Flags&(event.SYN|event.ACK) == event.SYN|event.ACK) {
		h.marks |= hiFirst
	}
	f.table.add(p, a.hash)
	f.roster.push(embryos, p, s.Time)
	return p
}

// meet returns a flow for the connection at p, of which s is the first segment.
func (f *Follower) meet(p place, s *event.Segment, swapped bool) *followed {
	fl := f.take()
	f.roster.flows[p] = fl
	h := &f.roster.heads[p]
	h.marks |= met
	fl.place = p
	fl.Begin(&f.opt, int(h.id), swapped, s)
	return fl
}

// take returns an empty flow.
func (f *Follower) take() *followed {
	if len(f.free) == 0 {
		flows := make([]followed, slabSize)
		for i := range flows {
			f.free = append(f.free, &flows[i])
		}
	}
	f.met++
	last := len(f.free) - 1
	fl := f.free[last]
	f.free = f.free[:last]
	fl.Clear()
	fl.tools.Clear(f.opt.SkipCompat)
	fl.steady, fl.shown, fl.sought = false, false, false
	return fl
}

// Release returns fl's memory for reuse; its lists that had outgrown their rooms go.
func (f *Follower) release(fl *followed) {
	fl.Release()
	f.free = append(f.free, fl)
}

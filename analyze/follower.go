package analyze

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"closecap/analyze/event"
)

// Options say what a Follower is to assume and to keep. The zero value works.
type Options struct {
	// TimeWait is how long an end stays in TIME_WAIT; 0 means 60 s, as on Linux.
	TimeWait time.Duration
	// MaxConnections bounds the connections held open at a time; past it the one idle for
	// longest, to the second, is given up. 0 means 131,072; each costs about 2.2 KB.
	MaxConnections int
	// AllSegments lists every segment in the result, not only handshake and teardown.
	AllSegments bool
	// SameHost says that both ends live on the capturing host: a segment is stamped as it
	// leaves and its receiver gets it at once. Of connections between loopback addresses it is
	// known without.
	SameHost bool
}

const (
	defaultTimeWait       = 60 * time.Second
	defaultMaxConnections = 1 << 17
	// maxWaiting bounds the closed connections that are kept for what may still come.
	maxWaiting = 1 << 13
	// afterReset is how long a reset connection is kept for late segments.
	afterReset = 10 * time.Second
	// embryoIdle is when a connection that was never established is over: Linux gives a SYN
	// up after 127 s.
	embryoIdle = 5 * time.Minute
	// oneSecond is how exactly the list of open connections is kept in order: to move one to
	// its end costs more than to follow a segment.
	oneSecond = event.Time(1e9)
	// slabSize is how many flows are allocated at a time.
	slabSize = 64
)

// Stats counts what a Follower has seen.
type Stats struct {
	Segments   uint64
	Duplicates uint64 // captured twice
	Evicted    uint64 // connections given up for memory's sake
	Strays     uint64 // late ACKs and resets of connections that were over and forgotten
	Truncated  uint64 // segments that the capture cut
	Open       int    // connections held now, closed ones that wait included
	First      event.Time
	Last       event.Time
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
	opt    Options
	done   func(*Connection)
	over   func(Over) // instead of done, when not nil
	desk   *desk      // where every Connection is written; nil gives each its own
	flows  flowTable
	gone   gone
	lineup lineup
	free   []*flow
	now    event.Time
	nextID int
	stats  Stats
	ahead  lookAhead
}

// NewFollower returns a Follower that hands each connection to done when nothing more can
// come of it.
func NewFollower(opt Options, done func(*Connection)) *Follower {
	if opt.TimeWait == 0 {
		opt.TimeWait = defaultTimeWait
	}
	if opt.MaxConnections == 0 {
		opt.MaxConnections = defaultMaxConnections
	}
	return &Follower{opt: opt, done: done, flows: flowTable{seed: rand.Uint64()}}
}

// Stats returns the counts so far.
func (f *Follower) Stats() Stats {
	st := f.stats
	st.Open = f.flows.n
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
		f.expire()
	}
	if s.Has&event.Truncated != 0 {
		f.stats.Truncated++
	}
}

// route gives s to its flow fl, or begins one with it when that is nil.
func (f *Follower) route(s *event.Segment, a *aim, fl *flow) {
	if fl != nil && fl.calm && f.goOn(fl, a, s) {
		return
	}
	if fl == nil {
		if startsNothing(s) && f.gone.has(&a.key) {
			f.stats.Strays++
			return
		}
		f.begin(a, s)
		return
	}
	e := fl.sender(a)
	switch f.renewal(fl, e, s) {
	case renewNow:
		f.renew(fl, s)
		return
	case renewPending:
		p := fl.pending
		f.renew(fl, p)
		f.reroute(s)
		return
	case holdBack:
		if fl.pending == nil {
			held := *s
			fl.pending, fl.calm = &held, false
			return
		}
	}
	f.deliver(fl, e, s)
}

// reroute finds the flow that s is for and routes s.
func (f *Follower) reroute(s *event.Segment) {
	k, swapped := keyOf(s.Src, s.Dst)
	a := aim{k, k.hash(f.flows.seed), swapped}
	f.route(s, &a, f.flows.find(&k, a.hash))
}

// begin starts a flow with its first segment.
func (f *Follower) begin(a *aim, s *event.Segment) {
	if f.lineup.n[alive]+f.lineup.n[embryos] >= f.opt.MaxConnections {
		f.evict()
	}
	fl := f.take()
	f.nextID++
	fl.key, fl.id = a.key, f.nextID
	fl.start, fl.firstFrame = s.Time, s.Frame
	fl.filtered = true
	fl.orient(a.swapped, s)
	fl.sameHost = f.opt.SameHost || s.Src.Addr().IsLoopback() && s.Dst.Addr().IsLoopback()
	fl.live = true
	f.flows.add(fl)
	f.lineup.push(embryos, fl)
	e := server
	if s.Src == fl.addr[client] {
		e = client
	}
	if s.Src == s.Dst {
		e = client
	}
	f.deliver(fl, e, s)
}

// deliver lets fl follow s and keeps the lists in order.
func (f *Follower) deliver(fl *flow, e end, s *event.Segment) {
	fl.follow(f, e, s)
	to := alive
	switch {
	case fl.isClosed():
		to = closed
		f.refresh(fl)
	case !fl.handshake && !fl.midstream:
		to = embryos
	}
	if to == fl.queue && (f.lineup.isLast(to, fl) || to == alive && s.Time-fl.queued < oneSecond) {
		return
	}
	f.requeue(fl, to, s.Time)
	if f.lineup.n[closed] > maxWaiting {
		f.finish(f.lineup.first(closed))
	}
}

// requeue moves fl to the end of a queue.
func (f *Follower) requeue(fl *flow, to queue, now event.Time) {
	f.lineup.remove(fl)
	f.lineup.push(to, fl)
	fl.queued = now
}

// refresh sets when a closed flow may be forgotten.
func (f *Follower) refresh(fl *flow) {
	expiry := f.now.Add(afterReset)
	if fl.rst.frame == 0 {
		expiry = f.now.Add(f.opt.TimeWait)
	}
	for e := range fl.tw {
		if w := &fl.tw[e]; w.since != 0 && w.ended != killed {
			expiry = max(expiry, w.until.Add(time.Second))
		}
	}
	f.lineup.setExpiry(fl, expiry)
}

// expire hands out the closed flows that nothing more is expected of.
func (f *Follower) expire() {
	for t, ok := f.lineup.nextExpiry(); ok && t < f.now; t, ok = f.lineup.nextExpiry() {
		f.finish(f.lineup.first(closed))
	}
	for fl := f.lineup.first(embryos); fl != nil && fl.last.Add(embryoIdle) < f.now; fl = f.lineup.first(embryos) {
		f.finish(fl)
	}
}

// evict gives up the open flow that was idle for longest.
func (f *Follower) evict() {
	fl := f.lineup.first(embryos)
	if o := f.lineup.first(alive); fl == nil || o != nil && o.last < fl.last {
		fl = o
	}
	if fl == nil {
		return
	}
	fl.warn |= warnEvicted
	f.stats.Evicted++
	f.finish(fl)
}

// finish judges fl, hands it out and frees it.
func (f *Follower) finish(fl *flow) {
	f.flows.remove(fl)
	fl.live = false
	if fl.queue == closed {
		f.gone.add(&fl.key)
	}
	f.lineup.remove(fl)
	p := fl.pending
	fl.pending = nil
	if f.over != nil {
		f.over(Over{fl, f.now})
	} else {
		f.done(f.judge(fl))
		f.release(fl)
	}
	if p != nil {
		f.reroute(p)
	}
}

// Finish judges all connections that are still held, in the order of their first frames.
func (f *Follower) Finish() {
	for f.flows.n > 0 {
		rest := f.flows.all(nil)
		slices.SortFunc(rest, func(a, b *flow) int {
			return cmp.Or(cmp.Compare(a.firstFrame, b.firstFrame), a.id-b.id)
		})
		for _, fl := range rest {
			f.finish(fl)
		}
	}
}

// take returns an empty flow.
func (f *Follower) take() *flow {
	if len(f.free) == 0 {
		flows, details := make([]flow, slabSize), make([]detail, slabSize)
		for i := range flows {
			flows[i].detail = &details[i]
			f.lineup.admit(&flows[i])
			f.free = append(f.free, &flows[i])
		}
	}
	last := len(f.free) - 1
	fl := f.free[last]
	f.free = f.free[:last]
	d := fl.detail
	d.facts = facts{
		records: d.recordRoom[:0], changes: d.changeRoom[:0], rearms: d.rearms[:0],
		zeek: zeekFlow{letters: d.letterRoom[:0]},
	}
	*fl = flow{detail: d, place: fl.place}
	for e := range fl.half {
		fl.half[e].halfDetail = &d.halves[e]
	}
	return fl
}

// release returns fl's memory for reuse; its lists that had outgrown their rooms go.
func (f *Follower) release(fl *flow) {
	fl.records, fl.changes, fl.pending = nil, nil, nil
	f.free = append(f.free, fl)
}

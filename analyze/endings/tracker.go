package endings

import (
	"net/netip"
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// Tracker joins events into connections. It is used by one goroutine.
type Tracker struct {
	opt     Options
	id      int
	waiting map[key][]*pair
	order   []*pair // as they began
	bySock  map[uint64]*pair
	local   map[netip.Addr]bool
	ended   [2]map[key]ended // in this minute and in the one before
	turned  event.Time
}

// NewTracker returns a Tracker that has seen nothing.
func NewTracker(opt Options) *Tracker {
	if opt.MaxWaiting == 0 {
		opt.MaxWaiting = defaultMaxWaiting
	}
	return &Tracker{
		opt: opt, waiting: map[key][]*pair{}, bySock: map[uint64]*pair{},
		local: map[netip.Addr]bool{}, ended: [2]map[key]ended{{}, {}},
	}
}

// ended is what is remembered of a connection: when it was last heard of, and the newest RST that no socket of its
// sent since.
type ended struct {
	at   event.Time
	late *event.KernelReset
}

// key is a pair of addresses without a direction. Addresses of a loopback are each namespace's own.
type key struct {
	low, high netip.AddrPort
	netns     uint32
}

func keyOf(netns uint32, a, b netip.AddrPort) key {
	if !a.Addr().IsLoopback() {
		netns = 0
	}
	if a.Compare(b) > 0 {
		a, b = b, a
	}
	return key{a, b, netns}
}

// pair is one connection: its ends as far as they are known, and the RSTs that may be its.
type pair struct {
	key    key
	ends   [2]*event.Endpoint
	resets []*event.KernelReset
	free   [2]*event.Release // of an end that had ended before
	held   [2]*event.Task    // who has an end that has ended
	last   event.Time        // of its latest event
	asked  event.Time        // when the kernel was asked last
	twin   event.TCPState    // what it said then
	done   bool
}

// Add takes the next event.
func (t *Tracker) Add(k event.KernelEvent) {
	switch {
	case k.Endpoint != nil:
		t.endpoint(k.Endpoint)
	case k.Reset != nil:
		t.reset(k.Reset)
	case k.Release != nil:
		t.release(k.Release)
	case k.Held != nil:
		t.holds(k.Held)
	}
}

func (t *Tracker) endpoint(e *event.Endpoint) {
	t.local[e.Local.Addr()] = true
	k := keyOf(e.Netns, e.Local, e.Remote)
	p := t.find(k, func(p *pair) bool { return p.takes(e) })
	if p == nil {
		p = t.begin(k)
		if r := t.lateFor(k, e); r != nil {
			p.resets = append(p.resets, r)
		}
	}
	if p.ends[0] == nil {
		p.ends[0] = e
	} else {
		p.ends[1] = e
	}
	p.last = max(p.last, e.Stop())
	if e.Socket != 0 {
		t.bySock[e.Socket] = p
	}
}

// takes reports whether e can be the other end of p, or the first one of a pair of which only an
// RST is known.
func (p *pair) takes(e *event.Endpoint) bool {
	a := p.ends[0]
	switch {
	case p.ends[1] != nil:
		return false
	case a == nil:
		return p.resets[0].Time+event.Time(settling) >= e.Start()
	case a.Local != e.Remote || a.Local == e.Local:
		return false
	case a.Accepted && e.Accepted || a.Connected && e.Connected && !simultaneousOpen(a, e):
		return false
	}
	// The lives of the two overlap. One that is older than the watching has no known start.
	return (a.Start() == 0 || a.Start() <= e.Stop()) && (e.Start() == 0 || e.Start() <= a.Stop()+event.Time(asked))
}

func simultaneousOpen(a, b *event.Endpoint) bool {
	return entered(a, event.SynRecv) != 0 && entered(b, event.SynRecv) != 0
}

func (t *Tracker) reset(r *event.KernelReset) {
	if p := t.bySock[r.Socket]; r.Socket != 0 && p != nil && !p.done {
		p.take(r)
		return
	}
	k := keyOf(r.Netns, r.Local, r.Remote)
	if p := t.find(k, func(*pair) bool { return true }); p != nil {
		p.take(r)
		return
	}
	if (r.Socket == 0 || r.State == event.Listen) && !isRefusal(r) && t.hasEnded(k, r.Time) {
		t.ended[0][k] = ended{r.Time, r} // it answers what came too late, and changes nothing; so may what is sent again
		return
	}
	t.begin(k).take(r)
}

// take adds an RST. Of many that no socket sent the first say all.
func (p *pair) take(r *event.KernelReset) {
	p.last = max(p.last, r.Time)
	if len(p.resets) >= maxResets {
		if r.Socket == 0 {
			return
		}
		p.resets = p.resets[:maxResets-1]
	}
	p.resets = append(p.resets, r)
}

func (t *Tracker) release(r *event.Release) {
	if p, i := t.endOf(r.Socket); p != nil {
		p.free[i] = r
	}
}

func (t *Tracker) holds(h *event.Held) {
	if p, i := t.endOf(h.Socket); p != nil && p.held[i] == nil {
		p.held[i] = h.Task
	}
}

// endOf returns the connection of a socket that has ended, and which of its ends that is.
func (t *Tracker) endOf(socket uint64) (*pair, int) {
	p := t.bySock[socket]
	if p == nil {
		return nil, 0
	}
	return p, slices.IndexFunc(p.ends[:], func(e *event.Endpoint) bool { return e != nil && e.Socket == socket })
}

// Unnamed returns the sockets that ended while a process had them, of which no call of its is known and which
// were not closed since: an event.Held tells whose they are. What is judged waits for that for a while.
func (t *Tracker) Unnamed(now event.Time) []uint64 {
	var all []uint64
	for _, p := range t.order {
		for i, e := range p.ends {
			if p.unnamed(i) && now.Sub(e.Stop()) >= settling {
				all = append(all, e.Socket)
			}
		}
	}
	return all
}

// unnamed reports whether end i stands in a process that is not known.
func (p *pair) unnamed(i int) bool {
	e := p.ends[i]
	return e != nil && e.Held && p.free[i] == nil && p.held[i] == nil && user(e, nil, nil) == nil
}

func (t *Tracker) hasEnded(k key, now event.Time) bool {
	for _, m := range t.ended {
		if e, ok := m[k]; ok && now.Sub(e.at) < remembered {
			return true
		}
	}
	return false
}

// lateFor returns the RST that e received of a kernel whose end had been told of before, nil where none is known.
func (t *Tracker) lateFor(k key, e *event.Endpoint) *event.KernelReset {
	for _, m := range t.ended {
		if r := m[k].late; r != nil && r.Local == e.Remote && r.Time <= e.ResetIn && e.ResetIn.Sub(r.Time) < onItsWay {
			return r
		}
	}
	return nil
}

// find returns the latest pair of k that ok accepts.
func (t *Tracker) find(k key, ok func(*pair) bool) *pair {
	same := t.waiting[k]
	for _, p := range slices.Backward(same[max(0, len(same)-maxSame):]) {
		if !p.done && ok(p) {
			return p
		}
	}
	return nil
}

func (t *Tracker) begin(k key) *pair {
	p := &pair{key: k}
	t.waiting[k] = append(t.waiting[k], p)
	t.order = append(t.order, p)
	return p
}

// Ready judges what is over at now, and forgets it.
func (t *Tracker) Ready(now event.Time) []*Connection {
	return t.judge(now, func(p *pair) bool { return t.finished(p, now) })
}

// Rest judges all that is left, with what is known.
func (t *Tracker) Rest(now event.Time) []*Connection {
	return t.judge(now, func(*pair) bool { return true })
}

func (t *Tracker) judge(now event.Time, finished func(*pair) bool) []*Connection {
	var out []*Connection
	kept := t.order[:0]
	tooMany := len(t.order) - t.opt.MaxWaiting
	for i, p := range t.order {
		if !finished(p) && i >= tooMany {
			kept = append(kept, p)
			continue
		}
		t.forget(p)
		t.id++
		c := p.connection()
		c.ID = t.id
		out = append(out, c)
	}
	clear(t.order[len(kept):])
	t.order = kept
	if len(out) > 0 && (now.Sub(t.turned) > remembered || len(t.ended[0]) > t.opt.MaxWaiting) {
		t.turned = now
		t.ended[0], t.ended[1] = map[key]ended{}, t.ended[0]
	}
	return out
}

func (t *Tracker) forget(p *pair) {
	p.done = true
	for _, e := range p.ends {
		if e != nil && t.bySock[e.Socket] == p {
			delete(t.bySock, e.Socket)
		}
	}
	rest := t.waiting[p.key]
	if i := slices.Index(rest, p); i == 0 {
		rest = rest[1:] // as nearly always: nothing moves
	} else if i > 0 {
		rest = slices.Delete(rest, i, i+1)
	}
	if len(rest) == 0 {
		delete(t.waiting, p.key)
	} else {
		t.waiting[p.key] = rest
	}
	t.ended[0][p.key] = ended{at: p.last}
}

// finished reports whether nothing more is to come of p.
func (t *Tracker) finished(p *pair, now event.Time) bool {
	wait := settling
	switch {
	case p.readable():
		wait = released
	case t.opt.Names && (p.unnamed(0) || p.unnamed(1)):
		wait = named
	}
	return now.Sub(p.last) >= wait && t.over(p, now)
}

// readable reports whether somebody may still read what an end that is over had received.
func (p *pair) readable() bool {
	for i, e := range p.ends {
		if e != nil && e.Held && e.Unread > 0 && p.free[i] == nil {
			return true
		}
	}
	return false
}

// over reports whether both ends are.
func (t *Tracker) over(p *pair, now event.Time) bool {
	e := p.ends[0]
	switch {
	case e == nil, p.ends[1] != nil, e.Local == e.Remote:
		return true
	case e.Last() == event.SynSent, e.ResetIn != 0 && (len(p.resets) > 0 || !t.isLocal(e)):
		return true // who sends an RST has no socket, or told of it before
	case t.isLocal(e):
		return t.alone(p, e, now) || e.ResetIn != 0 && now.Sub(p.last) > asked
	}
	return !handedOver(e) || e.FinIn || t.answered(p, e, now)
}

// alone reports whether no endpoint of this machine is e's peer: its address was translated, or
// its kernel forgot it.
func (t *Tracker) alone(p *pair, e *event.Endpoint, now event.Time) bool {
	before := p.twin
	switch t.ask(p, now, e.Netns, e.Remote, e.Local) {
	case event.Closed:
		return before == event.Closed && p.asked == now // an event may be on its way the first time
	case event.StateUnknown:
		return now.Sub(p.last) > asked
	}
	return false
}

// answered reports whether the FIN that e still waits for has come, or will not any more.
func (t *Tracker) answered(p *pair, e *event.Endpoint, now event.Time) bool {
	return now.Sub(p.last) > asked || len(p.resets) > 0 ||
		t.ask(p, now, e.Netns, e.Local, e.Remote) != event.FinWait2
}

// ask returns what the kernel says of an endpoint, asking ever more seldom.
func (t *Tracker) ask(p *pair, now event.Time, netns uint32, local, remote netip.AddrPort) event.TCPState {
	if t.opt.State != nil && now.Sub(p.asked) >= max(asking, now.Sub(p.last)/8) {
		p.asked = now
		p.twin = t.opt.State(netns, local, remote)
	}
	return p.twin
}

func (t *Tracker) isLocal(e *event.Endpoint) bool {
	a := e.Remote.Addr()
	return a.IsLoopback() || a == e.Local.Addr() || t.local[a] || t.opt.Local != nil && t.opt.Local(a)
}

// Waiting returns how many connections have ended at one end only.
func (t *Tracker) Waiting() int { return len(t.order) }

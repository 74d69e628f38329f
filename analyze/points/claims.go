package points

import (
	"fmt"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// onPath is a packet that was lost or made between two points.
type onPath struct {
	packet        int32
	seen, missing int // points
	why           string
}

// claimer makes the claims of one group.
type claimer struct {
	*group
	points []*Point
	sound  []bool
	common map[[3]int]bracket // by end and two members: where in the first's capture the packets that both saw stand
	usual  map[[2]int]uint8   // by end and member: the TTL of its packets there that other members saw, too, where it is one
	did    [2]doings
	looks  map[identity][]bool // by member, of packets of which some look like others: it saw one
	signs  int                 // how many packets were looked at for signs
}

// doings is what an end did, as its own point saw it.
type doings struct {
	goneOn      event.Time   // when it last sent something else than an RST
	acked, sent seqnum.Value // the newest numbers that it acknowledged, and sent data up to
	hasSent     bool
	hasAcked    bool
}

// maxSigns bounds how many RSTs of a connection are looked at closely: each costs as much as the
// connection is long.
const maxSigns = 64

// bracket is from where to where in a member's capture another one saw the same packets of an end, and how much later
// by its own clock: at least and at most.
type bracket struct {
	first, last  int32
	begins, ends event.Time // by the group's clock
	least, most  event.Time
	timed        bool // least and most are known
}

// covers reports whether the other's capture went on from a time of the member's clock to another, as the packets that
// both saw tell the difference.
func (k *bracket) covers(other *Point, from, to event.Time) bool {
	return k.timed && other.covers(from+k.least, to+k.most, 0)
}

// add takes in a packet, as the member and the other one saw it; there is nil where it passed in others' shape.
func (k *bracket) add(at int32, when event.Time, here, there *event.Segment) {
	if k.first == 0 {
		k.first, k.last, k.begins, k.ends = at, at, when, when
	}
	k.first, k.last, k.begins, k.ends = min(k.first, at), max(k.last, at), min(k.begins, when), max(k.ends, when)
	if there == nil {
		return
	}
	late := there.Time - here.Time
	if !k.timed {
		k.least, k.most, k.timed = late, late, true
	}
	k.least, k.most = min(k.least, late), max(k.most, late)
}

// claim finds what was lost and what was made between two members. Nothing is claimed where the point
// that lacks a packet may have missed it: it misses others, its capture had not begun or was over, or
// the packets of that end are not known to pass there, or it passed there among strays.
func (g *group) claim(points []*Point, sound []bool, strays *strays) {
	if len(g.ways[client])+len(g.ways[server]) == 0 {
		return
	}
	c := claimer{group: g, points: points, sound: sound}
	c.learn()
	for p := range g.from {
		if g.vague[p] == inPart || g.partly(p) || g.strayed(p, strays) {
			continue
		}
		c.packet(p)
	}
}

// hasLike reports whether a member that lacks p saw one that looks like it, of which others saw more: that may be p.
func (c *claimer) hasLike(p, m int) bool {
	if c.vague[p] != alike {
		return false
	}
	if c.looks == nil {
		c.looks = map[identity][]bool{}
		for q := range c.from {
			if c.vague[q] != alike {
				continue
			}
			id := c.identity(q).plain()
			if c.looks[id] == nil {
				c.looks[id] = make([]bool, c.members())
			}
			for at := range c.at {
				c.looks[id][at] = c.looks[id][at] || c.passed(q, at)
			}
		}
	}
	return c.looks[c.identity(p).plain()][m]
}

// partly reports whether a part of a packet was seen somewhere.
func (g *group) partly(p int) bool {
	for m := range g.at {
		if g.part[p*g.members()+m] {
			return true
		}
	}
	return false
}

// passed reports whether a member saw a packet, in whatever segments.
func (g *group) passed(p, m int) bool {
	return g.seen[p*g.members()+m] != 0 || g.covers[p*g.members()+m]
}

func (c *claimer) learn() {
	c.common, c.usual = map[[3]int]bracket{}, map[[2]int]uint8{}
	varies := map[[2]int]bool{}
	for p := range c.from {
		e := int(c.from[p])
		for a := range c.at {
			s := c.sight(p, a)
			if s == nil {
				continue
			}
			at := c.seen[p*c.members()+a]
			shared := false
			for b := range c.at {
				if b == a || !c.passed(p, b) {
					continue
				}
				shared = true
				k := c.common[[3]int{e, a, b}]
				k.add(at, c.time(a, s), s, c.sight(p, b))
				c.common[[3]int{e, a, b}] = k
			}
			if key := [2]int{e, a}; shared && s.Flags&event.RST == 0 {
				if t, ok := c.usual[key]; ok && t != s.TTL {
					varies[key] = true
				}
				c.usual[key] = s.TTL
			}
		}
	}
	for key := range varies {
		delete(c.usual, key)
	}
	for e := range c.did {
		if m := c.firstOf(e, all); m >= 0 {
			c.look(e, m)
			continue
		}
		for m := range c.at {
			c.look(e, m)
		}
	}
}

// look takes in what a member saw an end do.
func (c *claimer) look(e, m int) {
	for i := range c.at[m].segments {
		if s := &c.at[m].segments[i]; c.at[m].from(s) == e && s.Flags&event.RST == 0 {
			c.did[e].see(s, c.time(m, s))
		}
	}
}

// see takes in a segment that its sender's point saw at a time.
func (d *doings) see(s *event.Segment, at event.Time) {
	d.goneOn = at
	if s.Len > 0 && (!d.hasSent || d.sent.Less(s.Seq.Add(s.Len))) {
		d.sent, d.hasSent = s.Seq.Add(s.Len), true
	}
	if s.Flags&event.ACK != 0 && (!d.hasAcked || d.acked.Less(s.Ack)) {
		d.acked, d.hasAcked = s.Ack, true
	}
}

// all is a condition that every member fulfils.
func all(int) bool { return true }

// packet claims what can be claimed of p.
func (c *claimer) packet(p int) {
	e := int(c.from[p])
	way := c.ways[e]
	first, last, n := -1, -1, 0
	for i, m := range way {
		if c.passed(p, m) {
			if first < 0 {
				first = i
			}
			last = i
			n++
		}
	}
	if n != last-first+1 {
		return // it went another way
	}
	made, sure := c.madeOn(p, e, way[first:last+1], way[:first])
	lost, isLost := c.lostOn(p, e, way[first:last+1], way[last+1:])
	if first > 0 && last < len(way)-1 && (sure != surelyMade || !isLost) {
		return // only both together tell that it did not come and go another way
	}
	if isLost {
		c.lost = append(c.lost, lost)
	}
	switch sure {
	case surelyMade:
		c.made = append(c.made, made)
	case alone:
		c.alone = append(c.alone, made)
	case afterwards:
		c.after = append(c.after, made)
	}
}

// lostOn reports whether p, which some members saw, was lost before others further on: between the two that lie
// nearest to each other of those that bear it out.
func (c *claimer) lostOn(p, e int, saw, lack []int) (lost onPath, ok bool) {
	for _, next := range lack {
		for _, at := range slices.Backward(saw) {
			if c.sight(p, at) != nil && c.lostBetween(p, e, at, next) {
				return onPath{packet: int32(p), seen: c.at[at].point, missing: c.at[next].point}, true
			}
		}
	}
	return lost, false
}

// madeOn says likewise how far it is borne out that p, in e's name, was made behind members nearer to e. Only RSTs and
// FINs are made.
func (c *claimer) madeOn(p, e int, saw, lack []int) (made onPath, sure degree) {
	if c.any(p).Flags&(event.RST|event.FIN) == 0 {
		return made, notMade
	}
	for _, before := range slices.Backward(lack) {
		for _, at := range saw {
			if sure == surelyMade || c.sight(p, at) == nil {
				continue
			}
			if d, why := c.madeBetween(p, e, at, before); d > sure {
				sure, made = d, onPath{packet: int32(p), seen: c.at[at].point, missing: c.at[before].point, why: why}
			}
		}
	}
	return made, sure
}

// degree says how far two members show that a packet was made between them.
type degree int

const (
	notMade    degree = iota
	afterwards        // when the capture of the one that lacks it may have been over
	alone             // nothing else shows it; or that capture may have been over, and something else does
	surelyMade
)

// lostBetween reports whether it is borne out that p, which member at saw, did not come to another one.
func (c *claimer) lostBetween(p, e, at, next int) bool {
	s := c.sight(p, at)
	k, passes := c.common[[3]int{e, at, next}]
	point := c.points[c.at[next].point]
	when := c.time(at, s)
	if !passes || !c.sound[c.at[next].point] || c.hasLike(p, next) || !c.hadBegun(p, at, next) {
		return false
	}
	if k.ends > when+slack {
		return true
	}
	// What was sent later and has come there may have overtaken p.
	left := s.Time + arrives + event.Time(c.gap[next]+c.gap[at])
	later := k.last > c.seen[p*c.members()+at]
	return k.covers(point, s.Time, left) && (later || c.missedByReceiver(p, e, when))
}

// hadBegun reports whether a member's capture had begun when it should have seen p, as another did.
func (c *claimer) hadBegun(p, at, m int) bool {
	s := c.sight(p, at)
	when := c.time(at, s)
	if first := &c.at[m].segments[0]; s.Flags&event.SYN == 0 && first.Flags&(event.SYN|event.ACK) == event.SYN {
		return true // nothing else is sent before the SYN has passed
	}
	for e := range 2 {
		if k, ok := c.common[[3]int{e, at, m}]; ok && k.begins < when-slack {
			return true
		}
	}
	k := c.common[[3]int{int(c.from[p]), at, m}]
	return k.covers(c.points[c.at[m].point], s.Time-slack, s.Time-slack)
}

// missedByReceiver reports whether the other end behaves as if it had not received p, the last of its
// sender that was to pass: it acknowledged none of it, or went on after an RST.
func (c *claimer) missedByReceiver(p, e int, when event.Time) bool {
	s := c.any(p)
	if s.Len == 0 && s.Flags&(event.SYN|event.FIN|event.RST) == 0 {
		return false
	}
	did := &c.did[1-e]
	if s.Flags&event.RST == 0 {
		return !did.hasAcked || !s.End().LessEq(did.acked)
	}
	m := c.firstOf(1-e, all)
	return m >= 0 && c.timed[m] && did.goneOn > when+slack+event.Time(c.gap[m])
}

// madeBetween says how far it is borne out that p, in e's name, was made between a member that saw it and one nearer
// to e.
func (c *claimer) madeBetween(p, e, at, before int) (d degree, why string) {
	s := c.sight(p, at)
	k, passes := c.common[[3]int{e, at, before}]
	point := c.points[c.at[before].point]
	when := c.time(at, s)
	apart := slack + event.Time(c.gap[at]+c.gap[before])
	if sameClock(point, c.points[c.at[at].point]) {
		apart = 0
	}
	here := c.seen[p*c.members()+at]
	wentOn := c.common[[3]int{client, at, before}].last > here || c.common[[3]int{server, at, before}].last > here
	timed := k.covers(point, s.Time-apart, s.Time+apart)
	if !passes || k.first > here || !c.sound[c.at[before].point] || c.hasLike(p, before) {
		return notMade, ""
	}
	if c.signs++; c.signs <= maxSigns {
		why = c.sign(p, e, at, before, when+apart)
	}
	switch over := !wentOn && !timed; {
	case over && why == "":
		return afterwards, ""
	case over || why == "":
		return alone, ""
	}
	return surelyMade, why
}

// sign returns what shows besides that e did not send p: "" where nothing does.
func (c *claimer) sign(p, e, at, before int, after event.Time) string {
	s := c.sight(p, at)
	if t, ok := c.usual[[2]int{e, at}]; ok && distance(s.TTL) != distance(t) {
		return fmt.Sprintf("its TTL there is %d, that of the %s's own packets %d", s.TTL, sideName(e), t)
	}
	switch did := &c.did[e]; {
	case c.firstOf(e, all) != before:
	case s.Flags&event.RST != 0 && c.timed[before] && did.goneOn > after, s.Flags&event.RST == 0 && did.hasSent && s.Seq.Add(s.Len).Less(did.sent):
		return fmt.Sprintf("the %s goes on after it", sideName(e))
	}
	for q := range c.from {
		if int(c.from[q]) == e || c.vague[q] != definite || c.passed(q, before) || c.part[q*c.members()+before] {
			continue
		}
		t := c.sight(q, at)
		if t == nil || c.seen[q*c.members()+at] == 0 || t.Time > s.Time || s.Flags&event.RST == 0 {
			continue
		}
		if s.Flags&event.ACK == 0 && t.Flags&event.ACK != 0 && s.Seq == t.Ack || s.Flags&event.ACK != 0 && s.Ack == t.End() {
			return "what it answers did not come that far either"
		}
	}
	return ""
}

// distance is how many routers a packet passed that arrived with ttl, if it began with one of the
// usual numbers.
func distance(ttl uint8) uint8 {
	for _, initial := range [...]uint8{32, 64, 128, 255} {
		if ttl <= initial {
			return initial - ttl
		}
	}
	return 0
}

func sideName(e int) analyze.Side {
	if e == client {
		return analyze.Client
	}
	return analyze.Server
}

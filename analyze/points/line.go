package points

import (
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// pairing is what the packets that two members both saw say of where they lie and of their clocks.
type pairing struct {
	least, most [2]int64 // by end: how much later the second saw a packet, by the clocks, ns
	some        [2]bool
	nearer      int // the first is nearer to the client: above 0; to the server: below
}

// pair compares two members.
func (g *group) pair(a, b int) pairing {
	var q pairing
	var last [2]int64
	ttl, order := 0, 0
	for p := range g.from {
		s, t := g.sight(p, a), g.sight(p, b)
		if s == nil || t == nil || g.vague[p] != definite {
			continue
		}
		e := int(g.from[p])
		late := int64(t.Time - s.Time)
		if !q.some[e] {
			q.some[e], q.least[e], q.most[e] = true, late, late
		}
		q.least[e], q.most[e] = min(q.least[e], late), max(q.most[e], late)
		if last[e] = late; q.some[client] && q.some[server] {
			order += sign(last[client] - last[server])
		}
		if e == client {
			ttl += sign(int64(s.TTL) - int64(t.TTL))
		} else {
			ttl += sign(int64(t.TTL) - int64(s.TTL))
		}
	}
	if q.nearer = ttl; ttl == 0 {
		q.nearer = order
	}
	return q
}

func sign(n int64) int {
	switch {
	case n > 0:
		return 1
	case n < 0:
		return -1
	}
	return 0
}

// ahead returns how far the second member's clock is ahead of the first's: half of the difference of
// the smallest delays each way, as if both ways took the same time. sure says that both ways were seen;
// gap is what both ways take together.
func (q *pairing) ahead() (ns, gap int64, sure bool) {
	up, down := q.least[client], q.most[server]
	if q.nearer < 0 {
		up, down = q.most[client], q.least[server]
	}
	switch {
	case q.some[client] && q.some[server]:
		gap = up - down
		if q.nearer < 0 {
			gap = -gap
		}
		return down + (up-down)/2, max(gap, 0), true
	case q.some[client]:
		return up, 0, false
	case q.some[server]:
		return down, 0, false
	}
	return 0, 0, false
}

// align finds out in which order the members lie on the way of each end's packets, and how far their clocks are apart.
func (g *group) align() {
	n := g.members()
	g.ahead, g.timed, g.gap = make([]int64, n), make([]bool, n), make([]int64, n)
	g.timed[0], g.line = true, []int{0}
	if n == 1 {
		return
	}
	nearer := make([][]int, n)
	for a := range n {
		nearer[a] = make([]int, n)
	}
	for a := range n {
		for b := a + 1; b < n; b++ {
			q := g.pair(a, b)
			nearer[a][b], nearer[b][a] = sign(int64(q.nearer)), -sign(int64(q.nearer))
			if a == 0 {
				g.ahead[b], g.gap[b], g.timed[b] = q.ahead()
			}
			if a == 0 && sameClock(g.at[a].where, g.at[b].where) {
				g.ahead[b], g.timed[b] = 0, true
			}
		}
	}
	var both []int
	for m, c := range g.at {
		if c.sent[client] > 0 && c.sent[server] > 0 {
			both = append(both, m)
		}
	}
	for e, passed := range g.passedBy() {
		g.ways[e] = inLine(passed, nearer)
		if g.ways[e] == nil { // where one way alone passes, it may lie anywhere
			g.ways[e] = inLine(both, nearer)
		}
	}
	slices.Reverse(g.ways[server])
	g.line = g.listed()
}

// passedBy returns by end the members that saw packets of it which others saw, too.
func (g *group) passedBy() (members [2][]int) {
	var passed [2][]bool
	passed[client], passed[server] = make([]bool, g.members()), make([]bool, g.members())
	for p, e := range g.from {
		first := -1
		for m := range g.at {
			switch {
			case !g.passed(p, m):
			case first < 0:
				first = m
			default:
				passed[e][first], passed[e][m] = true, true
			}
		}
	}
	for e := range passed {
		for m, ok := range passed[e] {
			if ok {
				members[e] = append(members[e], m)
			}
		}
	}
	return members
}

// listed merges both ways; what lies on none stands behind the first.
func (g *group) listed() []int {
	line := slices.Clone(g.ways[client])
	next := 0
	for _, m := range slices.Backward(g.ways[server]) {
		at := slices.Index(line, m)
		if at < 0 {
			at = next
			line = slices.Insert(line, at, m)
		}
		next = at + 1
	}
	var rest []int
	for m := range g.at {
		if !slices.Contains(line, m) {
			rest = append(rest, m)
		}
	}
	return slices.Insert(line, min(1, len(line)), rest...)
}

// inLine puts members in order, by which of each two is nearer to the client; nil where that is not known of all, they
// contradict each other, or there are not two.
func inLine(members []int, nearer [][]int) []int {
	if len(members) < 2 {
		return nil
	}
	score := make([]int, len(nearer))
	for _, a := range members {
		for _, b := range members {
			if a != b && nearer[a][b] == 0 {
				return nil
			}
			score[a] += nearer[a][b]
		}
	}
	path := slices.Clone(members)
	slices.SortStableFunc(path, func(a, b int) int { return score[b] - score[a] })
	for i := 1; i < len(path); i++ {
		if score[path[i]] == score[path[i-1]] {
			return nil
		}
	}
	return path
}

// firstOf returns the first member on the way of an end's packets, and lastOf the last one, of those that a condition holds
// for; -1 for none.
func (g *group) firstOf(e int, ok func(member int) bool) int {
	for _, m := range g.ways[e] {
		if ok(m) {
			return m
		}
	}
	return -1
}

func (g *group) lastOf(e int, ok func(member int) bool) int {
	for _, m := range slices.Backward(g.ways[e]) {
		if ok(m) {
			return m
		}
	}
	return -1
}

// time returns when a member's segment came by the group's clock.
func (g *group) time(m int, s *event.Segment) event.Time { return s.Time - event.Time(g.ahead[m]) }

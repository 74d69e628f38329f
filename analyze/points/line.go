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

// line finds out in which order the members lie on the path, and how far their clocks are apart.
func (g *group) line() {
	n := g.members()
	g.ahead, g.timed, g.gap = make([]int64, n), make([]bool, n), make([]int64, n)
	if n == 1 {
		return
	}
	g.timed[0] = true
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
	var every, both, aside []int
	for m, c := range g.at {
		if every = append(every, m); c.sent[client] > 0 && c.sent[server] > 0 {
			both = append(both, m)
		} else {
			aside = append(aside, m)
		}
	}
	if g.path = inLine(every, nearer); g.path == nil && len(both) > 1 && len(aside) > 0 {
		slices.SortStableFunc(aside, func(a, b int) int { return -nearer[a][b] })
		g.path, g.aside = inLine(both, nearer), aside // where one way alone passes, it may lie anywhere
	}
}

// inLine puts members in order, by which of each two is nearer to the client; nil where that is not known of all, or
// they contradict each other.
func inLine(members []int, nearer [][]int) []int {
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

// firstOf returns the member nearest to an end, and lastOf the one nearest to the other end, of those
// that a condition holds for; -1 for none.
func (g *group) firstOf(e int, ok func(member int) bool) int {
	for i := range g.path {
		if e == server {
			i = len(g.path) - 1 - i
		}
		if m := g.path[i]; ok(m) {
			return m
		}
	}
	return -1
}

func (g *group) lastOf(e int, ok func(member int) bool) int { return g.firstOf(1-e, ok) }

// time returns when a member's segment came by the group's clock.
func (g *group) time(m int, s *event.Segment) event.Time { return s.Time - event.Time(g.ahead[m]) }

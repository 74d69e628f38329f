package points

import (
	"net/netip"
	"slices"

	"github.com/closecap/closecap/analyze/event"
)

// route is that packets between a client and a server pass two points.
type route struct {
	point int // the other one
	ahead int64
	gap   int64
}

type routeKey struct {
	point  int
	client netip.Addr
	server netip.AddrPort
}

// learnRoutes learns from the connections that were seen at several points, with the same addresses,
// which way others between the same ends take.
func learnRoutes(groups []*group) map[routeKey][]route {
	routes := map[routeKey][]route{}
	for _, g := range groups {
		way := g.ways[client]
		if len(way) == 0 || !g.timed[g.members()-1] {
			continue
		}
		for i, a := range way[:len(way)-1] {
			b := way[i+1]
			from, to := g.at[a], g.at[b]
			if from.ends[server] != to.ends[server] {
				continue // behind a translated address may be another server each time
			}
			key := routeKey{from.point, from.ends[client].Addr(), from.ends[server]}
			if len(routes[key]) == 0 {
				routes[key] = append(routes[key], route{to.point, g.ahead[b] - g.ahead[a], g.gap[a] + g.gap[b]})
			}
		}
	}
	return routes
}

// claimAlone finds out what became of a connection that did not come as far as others to the same server do, to a
// point further on: its SYN was lost before that, and what refused it was made there.
func (g *group) claimAlone(points []*Point, sound []bool, routes map[routeKey][]route, strays *strays) {
	last := max(0, g.lastOf(client, all))
	c := g.at[last]
	if len(g.ways[client]) == 0 && g.members() > 1 || c.guessed || g.answered() {
		return
	}
	for _, r := range routes[routeKey{c.point, c.ends[client].Addr(), c.ends[server]}] {
		if !sound[r.point] || slices.ContainsFunc(g.at, func(c *conversation) bool { return c != nil && c.point == r.point }) {
			continue
		}
		for p := range g.from {
			s := g.sight(p, last)
			if s == nil || g.vague[p] != definite || strays.has(r.point, points[r.point].Name, s, g) {
				continue
			}
			apart := arrives + event.Time(r.gap)
			if sameClock(points[c.point], points[r.point]) {
				apart = 0
			}
			if !points[r.point].covers(s.Time-apart, s.Time+apart, r.ahead) {
				continue
			}
			on := onPath{packet: int32(p), seen: c.point, missing: r.point}
			switch {
			case g.from[p] == client:
				g.lost = append(g.lost, on)
			case s.Flags&event.RST != 0:
				on.why = "what it answers did not come that far either"
				g.made = append(g.made, on)
			}
		}
	}
}

// answered reports whether something but an RST came in the server's name: then the SYN came there, another way.
func (g *group) answered() bool {
	for p, from := range g.from {
		if from == server && g.any(p).Flags&event.RST == 0 {
			return true
		}
	}
	return false
}

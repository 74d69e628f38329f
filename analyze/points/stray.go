package points

import "github.com/closecap/closecap/analyze/seqnum"

// stray is a packet of a conversation that may be another one under other addresses: a translator has forgotten the
// connection on its way, and given what came next new ones.
type stray struct {
	point string // both sides of a router: without a SYN it is a guess which one it passed
	id    identity
}

// findStrays returns the strays of all points, each with the connection that has it, nil where several have: of
// conversations without a handshake, and of those whose client's number another one begins with, too.
func findStrays(groups []*group) map[stray]*group {
	begun := map[seqnum.Value]*group{}
	twice := map[seqnum.Value]bool{}
	for _, g := range groups {
		for _, c := range g.at {
			if !c.known[client] {
				continue
			}
			if o := begun[c.isn[client]]; o != nil && o != g {
				twice[c.isn[client]] = true
			}
			begun[c.isn[client]] = g
		}
	}
	strays := map[stray]*group{}
	for _, g := range groups {
		for _, c := range g.at {
			if !c.guessed && !twice[c.isn[client]] {
				continue
			}
			for i := range c.segments {
				key := stray{c.where.Name, identify(&c.segments[i], 0).plain()}
				if o, ok := strays[key]; ok && o != g {
					strays[key] = nil
				} else {
					strays[key] = g
				}
			}
		}
	}
	return strays
}

// strayed reports whether a member that did not see a packet as one of this connection has it among its strays.
func (g *group) strayed(p int, strays *strays) bool {
	for m, c := range g.at {
		if !g.passed(p, m) && strays.has(c.point, c.where.Name, g.identity(p), g) {
			return true
		}
	}
	return false
}

package points

// stray is a packet of a conversation that one point alone saw, without its handshake. It may be one of
// another connection that a translator had forgotten and gave new addresses.
type stray struct {
	point int
	id    identity
}

// findStrays returns the strays of all points.
func findStrays(groups []*group) map[stray]bool {
	strays := map[stray]bool{}
	for _, g := range groups {
		if c := g.at[0]; len(g.at) == 1 && c.guessed {
			for i := range c.segments {
				strays[stray{c.point, identify(&c.segments[i], 0).plain()}] = true
			}
		}
	}
	return strays
}

// strayed reports whether a member that did not see a packet as one of this connection has it among its strays.
func (g *group) strayed(p int, strays *strays) bool {
	id := g.identity(p).plain()
	id.from = 0
	for m, c := range g.at {
		if !g.passed(p, m) && strays.has(c.point, id) {
			return true
		}
	}
	return false
}

package points

import (
	"fmt"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// Annotate adds to a connection that was followed in j.Segments what the points together tell: where
// each packet was seen, what was lost and made on the way, and what that means for the reset.
func (j *Joined) Annotate(c *analyze.Connection) {
	first, _, ok := j.shown(c.FirstFrame)
	if !ok {
		return
	}
	g := first.group
	for _, m := range g.line {
		j.vantage(c, g, m)
	}
	for _, s := range c.Segments {
		j.sightings(s)
	}
	path := &analyze.Path{}
	path.Lost = j.between(c, g, g.lost)
	path.Made = j.between(c, g, g.made)
	if len(path.Lost)+len(path.Made) > 0 {
		c.Path = path
	}
	noteLost(c)
	j.made(c, g)
	j.crossed(c, g)
	j.states(c)
	c.Explains = analyze.Topic(c)
}

func (j *Joined) vantage(c *analyze.Connection, g *group, m int) {
	o := g.at[m]
	v := analyze.Vantage{
		Point: j.name(g, m), Client: o.ends[client], Server: o.ends[server],
		Packets: analyze.PerSide{Client: uint64(o.sent[client]), Server: uint64(o.sent[server])},
	}
	if o.ends[client] != c.Client && o.ends[client] == c.Server { // the follower took the other for the client
		v.Client, v.Server = v.Server, v.Client
		v.Packets.Client, v.Packets.Server = v.Packets.Server, v.Packets.Client
	}
	if g.timed[m] || g.members() == 1 {
		ahead := g.ahead[m]
		v.ClockAhead = &ahead
	}
	c.Vantages = append(c.Vantages, v)
}

// sightings says at which points a segment was seen, and as which of their frames.
func (j *Joined) sightings(s *analyze.Segment) {
	at, _, ok := j.shown(s.Frame)
	if !ok {
		return
	}
	for _, m := range at.group.line {
		if t := at.group.sight(int(at.packet), m); t != nil {
			s.Seen = append(s.Seen, analyze.Sighting{Point: j.name(at.group, m), Frame: t.Frame})
		} else if at.group.covers[int(at.packet)*at.group.members()+m] {
			s.Seen = append(s.Seen, analyze.Sighting{Point: j.name(at.group, m)})
		}
	}
}

// between describes those of some packets that are c's.
func (j *Joined) between(c *analyze.Connection, g *group, all []onPath) (out []analyze.OnPath) {
	for _, o := range all {
		s, frame := g.any(int(o.packet)), g.frames[o.packet]
		_, joined, ok := j.shown(frame)
		if !ok || frame < c.FirstFrame || frame > c.LastFrame {
			continue
		}
		from := analyze.Client
		if joined.Src == c.Server {
			from = analyze.Server
		}
		out = append(out, analyze.OnPath{
			Frame: frame, From: from, Flags: s.Flags.String(), Bytes: s.Len,
			Seen: j.pointName(g, o.seen), Missing: j.pointName(g, o.missing), Confidence: analyze.Observed, Why: o.why,
		})
	}
	slices.SortFunc(out, func(a, b analyze.OnPath) int { return int(int64(a.Frame) - int64(b.Frame)) })
	return out
}

// pointName names a point, which may be none of g's members.
func (j *Joined) pointName(g *group, point int) string {
	for m, c := range g.at {
		if c.point == point {
			return j.name(g, m)
		}
	}
	return j.points[point].Name
}

// noteLost says of c's segments what became of them, where points tell: those that were lost or made,
// and those that came to the last point, which were not lost before it.
func noteLost(c *analyze.Connection) {
	lost, made := map[uint64]*analyze.OnPath{}, map[uint64]bool{}
	if c.Path != nil {
		for _, o := range c.Path.Made {
			made[o.Frame] = true
		}
		for i := range c.Path.Lost {
			lost[c.Path.Lost[i].Frame] = &c.Path.Lost[i]
		}
	}
	last := lastPoints(c)
	for _, s := range c.Segments {
		if made[s.Frame] {
			s.Notes = append(s.Notes, "made on the way")
		}
		switch o := lost[s.Frame]; {
		case o != nil:
			s.Lost = fmt.Sprintf("it was seen at %s and not at %s", o.Seen, o.Missing)
			s.Notes = append(s.Notes, analyze.LostOnTheWay)
		case slices.ContainsFunc(s.Seen, func(at analyze.Sighting) bool { return at.Point == last[s.From] }):
			s.Lost = ""
		}
	}
}

// lastPoints names by end the last point that its packets pass; none where only one saw the connection.
func lastPoints(c *analyze.Connection) map[analyze.Side]string {
	last := map[analyze.Side]string{}
	for i := range c.Vantages {
		v := &c.Vantages[i]
		if v.Packets.Client > 0 && len(c.Vantages) > 1 {
			last[analyze.Client] = v.Point
		}
		if v.Packets.Server > 0 && len(c.Vantages) > 1 && last[analyze.Server] == "" {
			last[analyze.Server] = v.Point
		}
	}
	return last
}

// made revises c's reset where the points tell whether the end in whose name it came has sent it.
func (j *Joined) made(c *analyze.Connection, g *group) {
	r := c.Reset
	if r == nil {
		return
	}
	if c.Path != nil {
		for _, o := range c.Path.Made {
			if o.Frame == r.Frame {
				if c.Ending == analyze.WasReset && c.Confidence == analyze.Inferred {
					c.Confidence = analyze.Observed // that it came, and who did not send it
				}
				r.Cause, r.Confidence = analyze.Middlebox, analyze.Observed
				r.Why = []string{
					fmt.Sprintf("frame %d was seen at %s and not at %s, where all packets of the %s pass: it was made between them", o.Frame, o.Seen, o.Missing, o.From),
					o.Why,
				}
				c.Candidates = slices.DeleteFunc(slices.Clone(c.Candidates), func(p analyze.Possible) bool { return p.Claim == analyze.ClaimCause })
				c.LikelyCalls = slices.DeleteFunc(slices.Clone(c.LikelyCalls), func(l analyze.LikelyCall) bool { return l.Frame == r.Frame })
				if c.Closer == r.By && !finOf(c, r.By) {
					c.Closer, c.CloserSure = analyze.NoSide, ""
				}
				return
			}
		}
	}
	for _, o := range j.between(c, g, g.after) {
		if o.Frame == r.Frame {
			r.Why = append(slices.Clone(r.Why), fmt.Sprintf("frame %d was seen at %s and not at %s, where nothing of the connection was captured any more", o.Frame, o.Seen, o.Missing))
		}
	}
	for _, o := range j.between(c, g, g.alone) {
		if o.Frame == r.Frame && r.Cause != analyze.Middlebox {
			why := fmt.Sprintf("frame %d was seen at %s and not at %s, where all packets of the %s pass", o.Frame, o.Seen, o.Missing, o.From)
			c.Candidates = append(slices.Clone(c.Candidates), analyze.Possible{Claim: analyze.ClaimCause, Value: string(analyze.Middlebox), Why: why})
			if r.Cause != analyze.UnknownCause {
				c.Candidates = append(c.Candidates, analyze.Possible{Claim: analyze.ClaimCause, Value: string(r.Cause), Why: "the point may have missed it"})
			}
			r.Cause, r.Confidence = analyze.UnknownCause, analyze.Unknown
			r.Why = append(slices.Clone(r.Why), why)
			if c.Closer == r.By && !finOf(c, r.By) {
				c.Closer, c.CloserSure = analyze.NoSide, analyze.Unknown
				c.Candidates = append(c.Candidates, analyze.Possible{Claim: analyze.ClaimCloser, Value: string(r.By), Why: why})
			}
		}
	}
}

// crossed says that both ends closed at once where the FIN of each left before the other's came to its
// own point, though only one may ever have come.
func (j *Joined) crossed(c *analyze.Connection, g *group) {
	if c.Closer == analyze.Both || !finOf(c, analyze.Client) || !finOf(c, analyze.Server) {
		return
	}
	if slices.ContainsFunc(c.Segments, func(s *analyze.Segment) bool { return s.DataFin }) {
		return // on MPTCP its FINs end no stream
	}
	for e := range 2 {
		own, peers := g.firstOf(e, all), g.firstOf(1-e, all)
		if own < 0 || peers < 0 {
			return
		}
		mine, theirs := g.firstEnd(own, e), g.firstEnd(own, 1-e)
		if o := g.at[own]; !j.sound[o.point] || o.sent[1-e] == 0 || o.segments[0].Flags&event.SYN == 0 {
			return // it may have missed the other's
		}
		other := g.firstEnd(peers, 1-e)
		if mine == nil || other == nil || mine.Flags&event.FIN == 0 || mine.Flags&event.ACK != 0 && other.End().LessEq(mine.Ack) || theirs != nil && theirs.Frame < mine.Frame {
			return
		}
	}
	c.Closer, c.Simultaneous, c.CloserSure, c.HalfClose = analyze.Both, true, analyze.Observed, nil
	c.Candidates = slices.DeleteFunc(slices.Clone(c.Candidates), func(p analyze.Possible) bool { return p.Claim == analyze.ClaimCloser })
	c.Why = append(slices.Clone(c.Why), "each FIN left before the other's came to the point nearest to its sender")
}

// firstEnd returns the first FIN or RST in the name of an end that a member captured.
func (g *group) firstEnd(m, e int) *event.Segment {
	c := g.at[m]
	for i := range c.segments {
		if s := &c.segments[i]; c.from(s) == e && s.Flags&(event.FIN|event.RST) != 0 {
			return s
		}
	}
	return nil
}

// finOf reports whether a FIN of an end is among c's segments.
func finOf(c *analyze.Connection, by analyze.Side) bool {
	return slices.ContainsFunc(c.Segments, func(s *analyze.Segment) bool { return s.From == by && s.Flags.Has(event.FIN) })
}

package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

const (
	shownEndpoints = 10
	ephemeralPorts = 28232 // Linux: net.ipv4.ip_local_port_range 32768 60999
)

// summary writes what many connections have in common, what is worth a look first. The capture ended at last.
func (p *printer) summary(s *summary, last event.Time) error {
	if s.connections == 0 {
		return p.print(line{text: p.nothing()})
	}
	all := count(s.connections+p.skipped, "connection")
	if p.skipped > 0 {
		all = grouped(s.connections) + " of " + all
	}
	title := fmt.Sprintf("summary of %s over %s", all, span(s.last.Sub(s.first)))
	if err := p.findings(s.findings(last, p.opt.Again)); err != nil {
		return err
	}
	if err := p.title(title); err != nil {
		return err
	}
	if err := p.table(1, func(int) *grid { return s.counts() }); err != nil {
		return err
	}
	if err := p.timeWaits(s); err != nil {
		return err
	}
	for _, l := range s.remarks() {
		if err := p.print(l); err != nil {
			return err
		}
	}
	return nil
}

// counts is the table of endings, first closers and reset causes.
func (s *summary) counts() *grid {
	g := &grid{columns: []column{{title: "what"}, {title: "which", min: 14}, {title: "count", right: true}, {title: "share", right: true}}}
	what := "ending"
	add := func(which string, n uint64, st style) {
		g.add(styled(bold, what), styled(st, which), text(grouped(n)), text(percent(n, s.connections)))
		what = ""
	}
	for _, e := range byCount(s.endings) {
		add(string(e), s.endings[e], endingStyle(e))
	}
	what = "first closer"
	for _, side := range byCount(s.closers) {
		name := string(side)
		switch side {
		case analyze.NoSide:
			name = "nobody, or not seen"
		case analyze.Both:
			name = fmt.Sprintf("both (%s at once)", grouped(s.together))
		}
		add(name, s.closers[side], plain)
	}
	what = "reset cause"
	for _, k := range byCount(s.causes) {
		add(Safe(string(k.cause))+", "+senderWords(k.by, k.cause), s.causes[k], plain)
	}
	return g
}

// byCount returns the keys of m, the most frequent first.
func byCount[K comparable](m map[K]uint64) []K {
	return slices.SortedFunc(maps.Keys(m), func(a, b K) int {
		return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
}

func percent(n, of uint64) string {
	if of == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of))
}

// timeWaits writes which server endpoints fill whose tables with TIME_WAIT.
func (p *printer) timeWaits(s *summary) error {
	seconds := s.last.Sub(s.first).Seconds()
	busy := s.busyEndpoints()
	if len(busy) == 0 || seconds <= 0 {
		return nil
	}
	if err := p.title("TIME_WAIT by server endpoint, if it goes on at this rate"); err != nil {
		return err
	}
	err := p.table(2, func(layout int) *grid {
		return s.timeWaitGrid(busy[:min(len(busy), shownEndpoints)], seconds, layout == 0)
	})
	if err != nil {
		return err
	}
	whose := "both are Linux's defaults"
	if s.timeWait != analyze.LinuxTimeWait {
		whose = "the range is Linux's default"
	}
	notes := fmt.Sprintf("per second: entries into TIME_WAIT over the %s that were captured; steady: that times %.0f s; "+
		"ports: the share of its %d ephemeral ports that the busiest client address would hold towards that endpoint "+
		"(%s, assumed here).", span(s.last.Sub(s.first)), s.timeWait.Seconds(), ephemeralPorts, whose)
	if err := p.print(line{text: notes, style: dim}); err != nil {
		return err
	}
	if more := len(busy) - shownEndpoints; more > 0 {
		if err := p.print(line{text: count(uint64(more), "further endpoint") + " not shown", style: dim}); err != nil {
			return err
		}
	}
	if s.others.connections == 0 {
		return nil
	}
	return p.print(line{text: fmt.Sprintf("past %s endpoints, %s were not counted apart (%s in TIME_WAIT)", grouped(maxEndpoints),
		count(s.others.connections, "connection"), grouped(s.others.clientHeld+s.others.serverHeld)), style: warn, hang: 2})
}

func (s *summary) busyEndpoints() []*endpoint {
	var busy []*endpoint
	for _, e := range s.servers {
		if e.clientHeld+e.serverHeld > 0 {
			busy = append(busy, e)
		}
	}
	slices.SortFunc(busy, func(a, b *endpoint) int {
		return cmp.Or(cmp.Compare(b.clientHeld+b.serverHeld, a.clientHeld+a.serverHeld), a.address.Compare(b.address))
	})
	return busy
}

func (s *summary) timeWaitGrid(endpoints []*endpoint, seconds float64, wide bool) *grid {
	g := &grid{columns: []column{{title: "server", min: 12}}}
	if wide {
		g.columns = append(g.columns, column{title: "connections", right: true})
	}
	g.columns = append(g.columns, column{title: "held by"}, column{title: "per second", right: true},
		column{title: "steady", right: true}, column{title: "ports", right: true})
	for _, e := range endpoints {
		most, exact := e.busiest()
		for _, held := range []struct {
			by      string
			n, most uint64
		}{{"client", e.clientHeld, most}, {"server", e.serverHeld, 0}} {
			if held.n == 0 {
				continue
			}
			row := []cell{text(e.address.String())}
			if wide {
				row = append(row, text(grouped(e.connections)))
			}
			rate := float64(held.n) / seconds
			ports := text("—")
			if held.most > 0 {
				share := float64(held.most) / seconds * s.timeWait.Seconds() / ephemeralPorts
				words := fmt.Sprintf("%.1f %%", 100*share)
				if !exact {
					words = "≤ " + words
				}
				ports = styled(portStyle(share), words)
			}
			row = append(row, text(held.by), text(fmt.Sprintf("%.1f", rate)), text(fmt.Sprintf("%.0f", rate*s.timeWait.Seconds())), ports)
			g.rows = append(g.rows, row)
		}
	}
	return g
}

func portStyle(share float64) style {
	switch {
	case share >= 1:
		return bad
	case share >= 0.5:
		return warn
	}
	return plain
}

// remarks tells of lost bytes, and of what is not certain.
func (s *summary) remarks() []line {
	var lines []line
	var kinds []string
	for _, k := range lostKinds(&s.lost) {
		if k.bytes > 0 {
			kinds = append(kinds, count(k.bytes, "byte")+" "+k.words)
		}
	}
	if len(kinds) > 0 {
		lines = append(lines, line{text: fmt.Sprintf("lost, on %s: %s", count(s.losers, "connection"), and(kinds)), style: bad, hang: 2})
	}
	if words := s.onWay.words(); words != "" {
		lines = append(lines, line{text: words, style: bad, hang: 2})
	}
	if s.doubted > 0 {
		lines = append(lines, line{text: "inferred, marked \"?\" in the list: the ending or reset cause of " +
			count(s.doubted, "connection"), style: dim, hang: 2})
	}
	if s.warned > 0 {
		lines = append(lines, line{text: "warnings on " + count(s.warned, "connection") + ": --conn N shows them", style: warn, hang: 2})
	}
	return lines
}

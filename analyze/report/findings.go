package report

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

const (
	maxGroups   = 1024 // of a kind of findings that are counted apart
	portsEnough = 0.5  // share of the ephemeral ports that is worth a look
	longEnough  = 10 * time.Second
	suspectAge  = time.Second // ends that have waited less may be about to close
	mostShown   = 3           // of a kind, and of a cause, for people
)

// findings groups connections that may be worth a look. Its memory is bounded: past maxGroups groups of a kind those
// with the fewest connections make room (Misra and Gries, 1982: what is frequent stays).
type findings struct {
	groups map[analyze.FindingKind]map[findingKey]*findingGroup
	missed map[analyze.FindingKind]uint64 // how many of any one group may not have been counted
}

var confidences = analyze.Names(analyze.ConfidenceCodes()) // the strongest first

type findingKey struct {
	server netip.AddrPort
	cause  analyze.ResetCause // of resets
	said   string             // of last words
}

type findingGroup struct {
	analyze.Finding
	weight uint64
	since  event.Time // since when the oldest has waited
	most   netip.Addr // the client of more than half of the connections, if there is one
	lead   uint64     // by how much at least (Boyer and Moore, 1981)
	byMost uint64     // connections of it since it leads
}

// add takes in a connection; nothing of it is kept.
func (f *findings) add(c *analyze.Connection) {
	if c.LastWords != nil && c.LastWords.Kind != "" {
		f.said(c)
	}
	if c.Reset == nil && c.Stall == nil && (c.Ending == analyze.Graceful || c.Ending == analyze.UnknownEnding) {
		return
	}
	at := findingKey{server: c.Server}
	if r := c.Reset; r != nil {
		g := f.group(analyze.FoundResets, findingKey{server: c.Server, cause: r.Cause}, c.ID, r.By, r.Confidence)
		g.Bytes += c.LostBytes().Sum()
		g.from(c.Client.Addr())
	}
	if c.IdleClose != nil {
		f.group(analyze.FoundKeepaliveRace, at, c.ID, c.IdleClose.By, analyze.Inferred).race(c)
	}
	if analyze.FoundAcceptQueue.Found(c) {
		f.group(analyze.FoundAcceptQueue, at, c.ID, analyze.Server, analyze.Inferred)
	}
	if analyze.FoundStalled.Found(c) {
		g := f.group(analyze.FoundStalled, at, c.ID, c.Stall.By, analyze.Observed)
		g.lasted(c.Stall.NS, c.ID)
	}
	if w := c.Waits(analyze.Server, event.CloseWait); w != nil {
		f.group(analyze.FoundCloseWait, at, c.ID, analyze.Server, w.Confidence).waits(w.Time, c.ID)
	}
	if w := c.Waits(analyze.Server, event.FinWait2); w != nil {
		f.group(analyze.FoundFinWait2, at, c.ID, analyze.Client, w.Confidence).waits(w.Time, c.ID)
	}
}

// group counts a connection in its group, which it is known to belong to with a confidence.
func (f *findings) group(kind analyze.FindingKind, key findingKey, id int, by analyze.Side, sure analyze.Confidence) *findingGroup {
	all := f.groups[kind]
	g := all[key]
	switch {
	case g != nil:
	case len(all) >= maxGroups:
		f.missed[kind]++
		for k, other := range all {
			if other.weight--; other.weight == 0 {
				delete(all, k)
			}
		}
		return &findingGroup{}
	default:
		if all == nil {
			if f.groups == nil {
				f.groups, f.missed = map[analyze.FindingKind]map[findingKey]*findingGroup{}, map[analyze.FindingKind]uint64{}
			}
			all = map[findingKey]*findingGroup{}
			f.groups[kind] = all
		}
		g = &findingGroup{Finding: analyze.Finding{Kind: kind, Server: key.server, Cause: key.cause, Said: key.said, By: by, Example: id}}
		all[key] = g
	}
	g.Connections++
	g.weight++
	sure = cmp.Or(sure, analyze.Inferred)
	if g.Confidence == "" || slices.Index(confidences, string(sure)) > slices.Index(confidences, string(g.Confidence)) {
		g.Confidence = sure
	}
	if g.By != by {
		g.By = analyze.NoSide
	}
	return g
}

// from counts the connections of the client that has most of them.
func (g *findingGroup) from(client netip.Addr) {
	switch {
	case g.most == client:
		g.lead++
		g.byMost++
	case g.lead == 0:
		g.most, g.lead, g.byMost = client, 1, 1
	default:
		g.lead--
	}
}

func (g *findingGroup) lasted(ns int64, id int) {
	if ns > g.NS {
		g.NS, g.Example = ns, id
	}
}

func (g *findingGroup) waits(since event.Time, id int) {
	if g.since == 0 || since < g.since {
		g.since, g.Example = since, id
	}
}

// race takes in a request that met the close of an idle connection.
func (g *findingGroup) race(c *analyze.Connection) {
	i := c.IdleClose
	client, server := int64(i.IdleNS.Client), int64(i.IdleNS.Server)
	if g.Margin == nil {
		g.Margin = &analyze.Range{Least: i.MarginNS, Most: i.MarginNS}
		g.Idle = &analyze.IdleRange{Client: analyze.Range{Least: client, Most: client}, Server: analyze.Range{Least: server, Most: server}}
	}
	if i.MarginNS < g.Margin.Least {
		g.Example = c.ID
	}
	widen(g.Margin, i.MarginNS)
	widen(&g.Idle.Client, client)
	widen(&g.Idle.Server, server)
	if i.Crossed {
		g.Crossed++
	}
	g.Bytes += c.LostBytes().Sum()
}

func widen(r *analyze.Range, n int64) { r.Least, r.Most = min(r.Least, n), max(r.Most, n) }

// findings lists what is worth a look when the capture ended at last, the worst first, with what shows it: again is the
// command to which the flags are added, "" for none.
func (s *summary) findings(last event.Time, again string) []analyze.Finding {
	list := append(s.nearExhaustion(), s.atOnce()...)
	for kind, groups := range s.found.groups {
		for _, g := range groups {
			if g.since != 0 {
				g.NS = int64(max(last, s.last).Sub(g.since))
				if time.Duration(g.NS) < suspectAge {
					continue
				}
			}
			f := g.Finding
			if f.Kind == analyze.FoundIdle && !isRule(&f) {
				continue
			}
			if g.byMost*2 > g.Connections {
				f.Client, f.FromClient = g.most, g.byMost
			}
			f.Missed = s.found.missed[kind]
			list = append(list, f)
		}
	}
	kinds := analyze.Names(analyze.FindingCodes())
	rank := func(f *analyze.Finding) int { return slices.Index(kinds, string(f.Kind)) }
	slices.SortFunc(list, func(a, b analyze.Finding) int {
		return cmp.Or(cmp.Compare(rank(&a), rank(&b)), cmp.Compare(b.Share, a.Share), cmp.Compare(min(b.Bytes, 1), min(a.Bytes, 1)),
			cmp.Compare(b.Connections, a.Connections), cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.NS, a.NS), a.Server.Compare(b.Server), a.Client.Compare(b.Client), cmp.Compare(a.Cause, b.Cause), cmp.Compare(a.Said, b.Said))
	})
	for i := range list {
		list[i].Pick = picks(&list[i])
		if again != "" {
			list[i].Command = again
			for _, word := range list[i].Pick {
				list[i].Command += " " + ShellQuote(word)
			}
		}
	}
	return list
}

// picks are the flags that show the connections of a finding.
func picks(f *analyze.Finding) []string {
	pick := []string{"--finding", string(f.Kind)}
	switch {
	case f.Cause != "":
		pick = []string{"--cause", string(f.Cause)}
	case f.Kind == analyze.FoundAtOnce:
		pick = []string{"--closer", "server", "--closed", clockUTC(f.From) + "," + clockUTC(f.To)}
	case f.Kind == analyze.FoundSaid:
		pick = []string{"--words", "--said", plainPart(f.Said)}
	case f.Kind == analyze.FoundCut, f.Kind == analyze.FoundTransfer, f.Kind == analyze.FoundOutstanding, f.Kind == analyze.FoundIdle:
		pick = append([]string{"--words"}, pick...)
	}
	hosts := f.Server.Addr().String()
	if onlyFrom(f) && f.Client != f.Server.Addr() {
		hosts = f.Client.String() + "," + hosts
	}
	if pick = append(pick, "--host", hosts); f.Kind == analyze.FoundTransfer { // the port is that of the control connection
		return pick
	}
	return append(pick, "--port", strconv.Itoa(int(f.Server.Port())))
}

// onlyFrom reports whether all connections of a finding are its client's.
func onlyFrom(f *analyze.Finding) bool {
	return f.Client.IsValid() && (f.Kind == analyze.FoundPorts || f.FromClient == f.Connections && f.Missed == 0)
}

// nearExhaustion finds the servers towards which a client's TIME_WAITs would take half of its ports or more, if it goes
// on at this rate. Of a short capture only what it holds itself counts.
func (s *summary) nearExhaustion() (list []analyze.Finding) {
	seconds := s.last.Sub(s.first).Seconds()
	for _, e := range s.servers {
		for client, n := range e.clients {
			share := float64(n) / ephemeralPorts
			if s.last.Sub(s.first) >= longEnough {
				share *= max(1, s.timeWait.Seconds()) / seconds
			}
			if share >= portsEnough {
				list = append(list, analyze.Finding{Kind: analyze.FoundPorts, Server: e.address, Client: client, By: analyze.Client, Confidence: analyze.Inferred,
					Connections: n, Missed: e.folded, Share: share})
			}
		}
	}
	return list
}

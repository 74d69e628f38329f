package report

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// worthALook are many connections with a finding of each kind.
func worthALook() *analyze.Result {
	r := manyConnections(40)
	add := func(change func(c *analyze.Connection)) {
		c := connection(len(r.Connections) + 1)
		c.Start, c.End = start, start.Add(20e9)
		c.Client, c.Server = netip.MustParseAddrPort("192.168.1.9:5000"), netip.MustParseAddrPort("[2001:db8::7]:8080")
		change(c)
		r.Connections = append(r.Connections, c)
	}
	for i := range 3 {
		add(func(c *analyze.Connection) {
			c.Ending, c.Closer = analyze.WasReset, analyze.Server
			c.Reset = &analyze.Reset{By: analyze.Server, Frame: 9, Cause: analyze.DataAfterClose, Confidence: analyze.Inferred, Lost: analyze.Lost{AfterClose: 100}}
			c.IdleClose = &analyze.IdleClose{By: analyze.Server, Fin: 7, Request: 8, MarginNS: int64(i-1) * 2e6,
				IdleNS: analyze.PerSide{Client: 5e9 + uint64(i)*2e6, Server: 5e9}, Crossed: i < 2}
		})
		add(func(c *analyze.Connection) { c.Stall = &analyze.Stall{By: analyze.Client, NS: int64(i) * 1e9} })
	}
	add(func(c *analyze.Connection) {
		c.Ending = analyze.HalfClosed
		c.States.Server = []analyze.StateChange{{State: event.FinWait2, Time: c.Start}}
		c.States.Client = []analyze.StateChange{{State: event.CloseWait, Time: c.Start}}
	})
	add(func(c *analyze.Connection) {
		c.Ending, c.Retransmits, c.Bytes = analyze.Silent, analyze.PerSide{Client: 2, Server: 1}, analyze.PerSide{Client: 7}
		c.Segments = []*analyze.Segment{
			{From: analyze.Client, Flags: event.SYN, Kind: analyze.KindSyn}, {From: analyze.Server, Flags: event.SYN | event.ACK, Kind: analyze.KindSynAck},
			{From: analyze.Client, Flags: event.ACK, Ack: 1, Len: 7, Kind: analyze.KindData}, {From: analyze.Server, Flags: event.SYN | event.ACK, Kind: analyze.KindSynAck},
		}
		for _, s := range c.Segments {
			s.FlagText = s.Flags.String()
		}
	})
	spoke := func(kind analyze.ReasonKind, said string, change func(c *analyze.Connection)) {
		add(func(c *analyze.Connection) {
			c.Closer = analyze.Server
			c.LastWords = &analyze.LastWords{Reason: "a reason", Confidence: analyze.Observed, Kind: kind, Said: said}
			change(c)
		})
	}
	nothing := func(*analyze.Connection) {}
	for i := range 4 {
		spoke(analyze.ReasonGoodbye, "FATAL 53300: it's \x1b[31mtoo much", nothing)
		spoke(analyze.ReasonIdle, "", func(c *analyze.Connection) { c.LastWords.IdleNS = 2e9 + int64(i)*1e6 })
	}
	spoke(analyze.ReasonGoodbye, "GOAWAY NO_ERROR", nothing)
	spoke(analyze.ReasonCut, "", func(c *analyze.Connection) { c.Closer = analyze.Client })
	spoke(analyze.ReasonOutstanding, "", nothing)
	for i, outcome := range []analyze.TransferOutcome{analyze.TransferComplete, analyze.TransferCut, analyze.TransferUntold} {
		spoke(analyze.ReasonTransfer, "", func(c *analyze.Connection) {
			c.Server = netip.AddrPortFrom(c.Server.Addr(), uint16(50000+i))
			c.Transfer = &analyze.Transfer{Server: netip.AddrPortFrom(c.Server.Addr(), 21), Outcome: outcome}
		})
	}
	for i := range 2 * burstLeast {
		add(func(c *analyze.Connection) {
			c.Server, c.Closer = netip.MustParseAddrPort("10.9.9.9:9"), analyze.Server
			c.Start = start.Add(time.Duration(i) * time.Second)
			c.Segments = []*analyze.Segment{{From: analyze.Server, Flags: event.FIN | event.ACK, FlagText: "F.", Kind: analyze.KindFin, Time: start.Add(20e9 + time.Duration(i)*40e3)}}
		})
	}
	for i := range ephemeralPorts {
		add(func(c *analyze.Connection) {
			c.Client = netip.AddrPortFrom(netip.MustParseAddr("192.168.1.66"), uint16(32768+i))
			c.TimeWait = []analyze.TimeWait{{Holder: analyze.Client, Since: c.End}}
		})
	}
	return r
}

// Each finding's flags pick as many connections as it counts, and no kind is without one here.
func TestFindingsArePicked(t *testing.T) {
	r := worthALook()
	var got analyze.Result
	if err := json.Unmarshal([]byte(render(t, JSON, r, Options{Again: "closecap analyze x.pcap"})), &got); err != nil {
		t.Fatal(err)
	}
	kinds := map[analyze.FindingKind]int{}
	for i := range got.Findings {
		f := &got.Findings[i]
		kinds[f.Kind]++
		if f.Confidence == "" {
			t.Errorf("a %s has no confidence", f.Kind)
		}
		n, shown := uint64(0), false
		for _, c := range r.Connections {
			if isOf(f, c) {
				n++
				shown = shown || c.ID == f.Example
			}
		}
		if n != f.Connections || !shown && f.Example != 0 {
			t.Errorf("%v picks %d connections, its example %v; want %d", f.Pick, n, shown, f.Connections)
		}
		words := []string{"closecap analyze x.pcap"}
		for _, w := range f.Pick { // the flags as they are, which only a shell wants in quotes
			if strings.HasPrefix(w, "'") {
				t.Errorf("flag %s is in quotes", w)
			}
			words = append(words, ShellQuote(w))
		}
		if want := strings.Join(words, " "); f.Command != want {
			t.Errorf("command %q, want %q", f.Command, want)
		}
	}
	for _, k := range analyze.FindingCodes() {
		if kinds[k.Code] == 0 {
			t.Errorf("no finding is a %s", k.Code)
		}
	}
	checkGolden(t, "findings.txt", strings.SplitAfter(render(t, Table, r, Options{Width: 120, Summary: true, Again: "closecap analyze x.pcap"}), "\n\n")[0])
}

// Where all is well nothing is found, and no heading stands over nothing.
func TestNothingIsFound(t *testing.T) {
	r := result("")
	for i := range 40 {
		r.Connections = append(r.Connections, connection(i+1))
	}
	if got := render(t, Table, r, Options{Summary: true}); strings.Contains(got, "worth a look") {
		t.Errorf("of 40 connections that ended well:\n%s", got)
	}
	if got := render(t, HTML, r, Options{}); strings.Contains(got, "Worth a look") {
		t.Error("the page has a heading over nothing")
	}
}

// A million strangers do not hide the one that is there again and again, nor fill the memory.
func TestFindingsAreBounded(t *testing.T) {
	s := newSummary(0)
	c := connection(1)
	c.Ending, c.Reset = analyze.WasReset, &analyze.Reset{By: analyze.Server, Cause: analyze.ConnRefused}
	const often, strangers = 2000, 500_000
	for i := range strangers {
		c.Server = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 80)
		s.found.add(c)
		if i%(strangers/often) == 0 {
			c.Server = netip.MustParseAddrPort("192.0.2.1:443")
			s.found.add(c)
		}
	}
	list := s.findings(0, "")
	if len(list) > maxGroups {
		t.Errorf("%d groups, want %d at most", len(list), maxGroups)
	}
	f := &list[0]
	if f.Server.String() != "192.0.2.1:443" || f.Connections > often || f.Connections+f.Missed < often {
		t.Errorf("first is %v with %d connections, or up to %d: want 192.0.2.1:443 with %d in between", f.Server, f.Connections, f.Connections+f.Missed, often)
	}
	if words := findingWords(f); !strings.Contains(words, fmt.Sprintf("%s or up to ", grouped(f.Connections))) {
		t.Errorf("%q does not say that there may be more", words)
	}
}

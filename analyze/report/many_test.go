package report

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"closecap/analyze"
	"closecap/analyze/event"
)

// manyConnections is a capture of a minute at a busy server, every ending in it.
func manyConnections(n int) *analyze.Result {
	r := result("")
	r.Kernel = nil
	r.Capture.Source = "busy.pcapng"
	r.Capture.Packets = uint64(n) * 9
	for i := range n {
		c := connection(i + 1)
		c.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 168, 1, byte(10 + i%3)}), uint16(32768+i))
		c.Server = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + i%4)}), 443)
		c.Start = start + event.Time(int64(i)*60e9/int64(n))
		c.End = c.Start.Add(250e6)
		c.Bytes = analyze.PerSide{Client: uint64(300 + i), Server: uint64(i) * 2048}
		c.Segments = []*analyze.Segment{}
		vary(c, i)
		r.Connections = append(r.Connections, c)
	}
	return r
}

func vary(c *analyze.Connection, i int) {
	stuck := event.StateUnknown
	switch i % 8 {
	case 0, 1, 2:
		c.HalfClose = &analyze.HalfClose{By: analyze.Client, NS: 1200000}
		c.TimeWait = []analyze.TimeWait{{Holder: analyze.Client, Since: c.End, Until: c.End.Add(60e9), Rearmed: []uint64{}}}
	case 3:
		c.Closer = analyze.Server
		c.TimeWait = []analyze.TimeWait{{Holder: analyze.Server, Since: c.End, Until: c.End.Add(60e9), Rearmed: []uint64{}}}
	case 4:
		c.Ending, c.Closer = analyze.WasReset, analyze.Server
		c.Reset = &analyze.Reset{By: analyze.Server, Frame: 9, Cause: analyze.UnreadData, Confidence: analyze.Inferred,
			Lost: analyze.Lost{Unread: 300, Unacked: 20, From: analyze.Client}}
	case 5:
		c.Ending, c.Closer = analyze.WasRefused, analyze.NoSide
		c.Reset = &analyze.Reset{By: analyze.Server, Frame: 2, Cause: analyze.ConnRefused, Confidence: analyze.Observed}
	case 6:
		c.Ending, stuck = analyze.HalfClosed, event.CloseWait
	case 7:
		c.Closer, c.Simultaneous = analyze.Both, true
	}
	if stuck != event.StateUnknown {
		c.States.Client = []analyze.StateChange{{State: event.FinWait2, Time: c.End}}
		c.States.Server = []analyze.StateChange{{State: stuck, Time: c.End}}
	}
}

func TestList(t *testing.T) {
	for _, width := range []int{60, 80, 120, 160} {
		checkTable(t, "many", manyConnections(40), Options{Width: width, Box: true})
	}
	checkTable(t, "many-summary", manyConnections(40), Options{Width: 80, Summary: true})
	checkGolden(t, "many.md", render(t, Markdown, manyConnections(12), Options{}))
	checkGolden(t, "many.csv", render(t, CSV, manyConnections(12), Options{}))
}

func TestListOfManyBlocksLosesNoConnection(t *testing.T) {
	const n = 2*listBlock + keptConnections + 7
	got := render(t, Table, manyConnections(n), Options{Width: 200})
	for _, id := range []int{1, keptConnections, keptConnections + 1, listBlock, listBlock + keptConnections, 2 * listBlock, n} {
		if want := fmt.Sprintf("| %4d |", id); strings.Count(got, want) != 1 {
			t.Errorf("the list has %q %d times, want once", want, strings.Count(got, want))
		}
	}
	if rows := strings.Count(got, " 10.0.0."); rows < n {
		t.Errorf("the list has %d rows, want at least %d", rows, n)
	}
}

func TestSummaryIsBounded(t *testing.T) {
	s := NewSummary()
	for i := range maxEndpoints + 100 {
		c := connection(i)
		c.Server = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 80)
		c.TimeWait = []analyze.TimeWait{{Holder: analyze.Client}}
		s.Add(c)
	}
	e := s.endpoint(serverAddr)
	if len(s.servers) != maxEndpoints || e != &s.others || e.connections != 100 || e.clientHeld != 100 {
		t.Errorf("servers = %d, others = %d connections, %d in TIME_WAIT; want %d, 100, 100",
			len(s.servers), e.connections, e.clientHeld, maxEndpoints)
	}
	one := s.endpoint(netip.MustParseAddrPort("10.0.0.1:80"))
	for i := range maxClients + 10 {
		c := connection(i)
		c.Client = netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)}), 4000)
		c.TimeWait = []analyze.TimeWait{{Holder: analyze.Client}}
		one.add(c)
	}
	if len(one.clients) != maxClients {
		t.Errorf("clients of one endpoint = %d, want %d", len(one.clients), maxClients)
	}
}

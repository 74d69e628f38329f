package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"net/netip"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/google/go-cmp/cmp"
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
	if i%9 == 0 {
		c.Confidence, c.Warnings = analyze.Inferred, []string{"the capture starts in the middle of this connection"}
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

func TestLongListLosesNoConnection(t *testing.T) {
	const n = 2*fittedConnections + 7
	for _, format := range []Format{Table, Markdown} {
		for _, width := range []int{0, 60, 200} {
			got := render(t, format, manyConnections(n), Options{Width: width})
			for id := 1; id <= n; id++ {
				if want := fmt.Sprintf(" %d |", id); strings.Count(got, want) == 0 {
					t.Fatalf("%s %d columns: connection %d is not in the list", format, width, id)
				}
			}
			if headings := strings.Count(got, "lasted"); headings != 1 {
				t.Errorf("%s %d columns: %d headings, want 1", format, width, headings)
			}
		}
	}
}

// The list draws its own lines; they must look as tablewriter's do.
func TestListLooksLikeTheOtherTables(t *testing.T) {
	r := manyConnections(40)
	for _, opt := range []Options{{}, {Width: 160, Color: true, Box: true}, {Width: 120}} {
		var got, want bytes.Buffer
		l := &list{}
		if err := l.start(&printer{w: &got, format: Table, opt: opt}, r.Connections, false); err != nil {
			t.Fatal(err)
		}
		if err := l.end(); err != nil {
			t.Fatal(err)
		}
		g := &grid{columns: l.grid.columns}
		for _, c := range r.Connections {
			g.rows = append(g.rows, l.layout.row(c, nil))
		}
		if err := g.write(&want, l.widths, opt); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), got.String()); diff != "" {
			t.Errorf("%+v: the list differs from tablewriter's (-want +got):\n%s", opt, diff)
		}
	}
}

func TestSummaryIsBounded(t *testing.T) {
	s := newSummary(0)
	for i := range maxEndpoints + 100 {
		c := connection(i)
		c.Server = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 80)
		c.TimeWait = []analyze.TimeWait{{Holder: analyze.Client}}
		s.add(c)
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
	if len(one.clients) > maxClients {
		t.Errorf("clients of one endpoint = %d, want at most %d", len(one.clients), maxClients)
	}
}

func TestBusiestClientIsBoundedFromAbove(t *testing.T) {
	e := &endpoint{clients: map[netip.Addr]uint64{}}
	busy := netip.MustParseAddr("10.9.9.9")
	const held = 500
	for i := range held {
		e.addClient(busy)
		e.addClient(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	got, exact := e.busiest()
	if got < held || got > held+2*held/maxClients || exact {
		t.Errorf("busiest() = %d, %v, want %d or a little more, false", got, exact, held)
	}
}

// manyCalls is one connection with more calls than a table is held for.
func manyCalls() *analyze.Result {
	r := sentAfterClose()
	for i := range heldRows + 1 {
		c := call(100+i, int64(1000+i), "client", "send", fmt.Sprintf("%d bytes", i), int64(i), "", nil, nil, "", "")
		if i%100 == 0 {
			c.Explain = strings.Repeat("queued: none of its bytes left while the capture ran ", 1+i/100%3)
		}
		r.Calls = append(r.Calls, c)
	}
	return r
}

// A document of many calls, and of a connection of many segments, holds what one of few would.
func TestDocumentOfManyCalls(t *testing.T) {
	r := manyCalls()
	for range 1000 {
		r.Connections[0].Segments = append(r.Connections[0].Segments, r.Connections[0].Segments[0])
	}
	for _, format := range []Format{JSON, NDJSON} {
		text, want := render(t, format, r, Options{}), reference(t, r)
		var got any = new(analyze.Result)
		if format == NDJSON {
			got, want = new(analyze.Connection), reference(t, r.Connections[0])
		}
		if err := json.Unmarshal([]byte(text), got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, reference(t, got)); diff != "" {
			t.Errorf("%s says (-want +got):\n%s", format, diff)
		}
	}
}

// A page of one connection is no larger for more calls and segments than a page shows.
func TestPageOfManyCalls(t *testing.T) {
	size := func(calls int) int {
		r := sentAfterClose()
		for i := range calls {
			r.Calls = append(r.Calls, call(100+i, int64(1000+i), "client", "send", "1 bytes", -1, "EAGAIN", nil, nil, "", ""))
			r.Connections[0].Segments = append(r.Connections[0].Segments, r.Connections[0].Segments[i%2])
		}
		return len(render(t, HTML, r, Options{}))
	}
	few, many := size(2*pageRows), size(10*pageRows)
	if many > few+few/20 {
		t.Errorf("%d calls make a page of %d bytes, %d calls one of %d", 2*pageRows, few, 10*pageRows, many)
	}
}

// TestLongTableEqualsTheHeld draws a table whose rows are made anew, and the same as cells.
func TestLongTableEqualsTheHeld(t *testing.T) {
	r := manyCalls()
	rows := callRows(r)
	for _, format := range []Format{Table, Markdown} {
		for _, width := range []int{0, 60, 80, 120, 200} {
			var long, held bytes.Buffer
			opt := Options{Width: width, Box: true}
			p := printer{w: &long, format: format, opt: opt}
			if err := p.longTable(len(callLayouts), func(i int) ([]column, iter.Seq[[]cell]) {
				return callLayouts[i].columns(), callLayouts[i].rows(r, rows)
			}); err != nil {
				t.Fatal(err)
			}
			p.w = &held
			if err := p.table(len(callLayouts), func(i int) *grid { return callLayouts[i].grid(r, rows) }); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(held.String(), long.String()); diff != "" {
				t.Errorf("%s, %d columns (-held +long):\n%s", format, width, diff)
			}
		}
	}
}

// A document of many connections holds what one of few would, and none of them in memory.
func TestDocumentGrows(t *testing.T) {
	r := manyConnections(fittedConnections + 5)
	r.Calls = []*analyze.Call{} // never null
	var out bytes.Buffer
	s := NewStream(&out, JSON, Options{})
	for _, c := range r.Connections {
		if err := s.Connection(c); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.body.(*documentBody).kept) != 0 {
		t.Errorf("%d connections are kept, want none", len(s.body.(*documentBody).kept))
	}
	rest := *r
	rest.Connections = nil
	if err := s.Finish(&rest); err != nil {
		t.Fatal(err)
	}
	var got analyze.Result
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Findings) == 0 {
		t.Error("nothing is worth a look")
	}
	r.Findings = got.Findings
	if diff := cmp.Diff(reference(t, r), reference(t, &got)); diff != "" {
		t.Errorf("the document says (-want +got):\n%s", diff)
	}
}

package join

import (
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// TestDepartures holds the roots of a connection met midway against the calls in which its kernel says
// that segments left: by sequence number, flags, and of what was sent twice by time.
func TestDepartures(t *testing.T) {
	rec := &event.Recording{}
	for _, line := range []string{
		"1 1.000000 10.0.0.1:40000 > 10.0.0.2:80 P. seq 100 ack 500 len 5 win 512",
		"2 1.000100 10.0.0.2:80 > 10.0.0.1:40000 . seq 500 ack 105 win 512",
		"3 2.000000 10.0.0.1:40000 > 10.0.0.2:80 P. seq 105 ack 500 len 7 win 512",
		"4 2.300000 10.0.0.1:40000 > 10.0.0.2:80 P. seq 105 ack 500 len 7 win 512", // a timer's
		"5 2.300100 10.0.0.2:80 > 10.0.0.1:40000 . seq 500 ack 112 win 512",
		"6 3.000000 10.0.0.1:40000 > 10.0.0.2:80 P. seq 112 ack 500 len 3 win 512", // in no call
		"7 4.000000 10.0.0.1:40000 > 10.0.0.2:80 F. seq 115 ack 500 win 512",
	} {
		s, err := event.ParseSegment(line)
		if err != nil {
			t.Fatal(err)
		}
		rec.Segments = append(rec.Segments, s)
	}
	const second = event.Time(1e9)
	call := func(id int, name string, start, end event.Time, ret int64, sent ...event.Departure) *event.Call {
		return &event.Call{
			ID: id, Actor: "a", PID: 1, TID: 1, FD: 3, Socket: 9, Local: rec.Segments[0].Src, Remote: rec.Segments[0].Dst,
			Name: name, Start: start, End: end, Ret: ret, RecvQ: -1, Sent: sent,
		}
	}
	ms := event.Time(1e6)
	rec.Calls = []*event.Call{
		call(11, "send", second-ms, second+ms, 5, event.Departure{Time: second - 1000, Flags: event.PSH | event.ACK, Seq: 100, Len: 5}),
		call(12, "send", 2*second-ms, 2*second+ms, 7, event.Departure{Time: 2*second - 1000, Flags: event.PSH | event.ACK, Seq: 105, Len: 7}),
		call(13, "close", 4*second-ms, 4*second+ms, 0,
			event.Departure{Time: 4*second - 1000, Flags: event.FIN | event.ACK, Seq: 115},
			event.Departure{Time: 4*second - 1000, Flags: event.FIN | event.ACK, Seq: 999}), // not captured
	}
	res := Join(rec, analyze.Options{})
	if len(res.Connections) != 1 {
		t.Fatalf("%d connections, want 1", len(res.Connections))
	}
	want := map[uint64]int{1: 11, 3: 12, 7: 13}
	for _, s := range res.Connections[0].Segments {
		confirmed := s.Root.Kind == analyze.RootCall && s.Root.Confidence == analyze.InKernel
		if id := want[s.Frame]; confirmed != (id != 0) || confirmed && s.Root.Call != id {
			t.Errorf("frame %d: root %+v, want call %d by the kernel's word", s.Frame, s.Root, id)
		}
	}
}

// TestDepartedLater keeps the cause where the kernel says that its bytes left in a later call.
func TestDepartedLater(t *testing.T) {
	lc := &linked{Connection: &analyze.Connection{}}
	l := &linker{departed: map[uint64]int{5: 2, 6: 2}, conns: []*linked{lc}}
	calls := []*analyze.Call{{Call: &event.Call{ID: 1, Name: "send"}}, {Call: &event.Call{ID: 2, Name: "recv"}}}
	l.calls = newNumbered(calls)
	queued := &analyze.Segment{Frame: 5, Root: callRoot(calls[0], "")}
	l.departs(queued)
	if r := queued.Root; r.Call != 1 || r.Confidence != analyze.Observed || r.Why != "left inside #2 recv()" {
		t.Errorf("root %+v, want call 1, and where it left", r)
	}
	unknown := &analyze.Segment{Frame: 6, Root: analyze.Root{Kind: analyze.RootUnknown}}
	l.departs(unknown)
	if r := unknown.Root; r.Kind != analyze.RootCall || r.Call != 2 || r.Confidence != analyze.InKernel {
		t.Errorf("root %+v, want call 2 by the kernel's word", r)
	}
	other := &analyze.Segment{Frame: 7, Root: analyze.Root{Kind: analyze.RootUnknown}}
	l.departs(other)
	if other.Root.Kind != analyze.RootUnknown {
		t.Errorf("root %+v of a segment that left in no call", other.Root)
	}
}

// TestDeparturesOfManyACKs: ACKs of one number are told apart by their times, each taken once.
func TestDeparturesOfManyACKs(t *testing.T) {
	s, err := event.ParseSegment("1 1.000000 10.0.0.1:40000 > 10.0.0.2:80 . seq 100 ack 500 win 512")
	if err != nil {
		t.Fatal(err)
	}
	rec := &event.Recording{}
	const n = 50_000
	for i := range n {
		s.Frame = uint64(i + 1)
		s.Time = event.Time(i+1) * event.Time(departGap)
		rec.Segments = append(rec.Segments, s)
		rec.Calls = append(rec.Calls, &event.Call{
			ID: n - i, Local: s.Src, Remote: s.Dst,
			Sent: []event.Departure{{Time: event.Time(n-i)*event.Time(departGap) - 1000, Flags: s.Flags, Seq: uint32(s.Seq)}},
		})
	}
	got := departures(rec)
	for i := range n {
		if got[uint64(i+1)] != i+1 {
			t.Fatalf("frame %d left in call %d, want %d", i+1, got[uint64(i+1)], i+1)
		}
	}
}

package flows

import (
	"net/netip"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// dialogue is the middle of a connection: data from the client, ACKs from the server.
func dialogue(f *Follower) func() {
	c, s := netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:80")
	frame, now, pos := uint64(0), event.Time(1), seqnum.Value(1001)
	send := func(src, dst netip.AddrPort, flags event.Flags, seq, ack seqnum.Value, n uint32) {
		frame++
		now += 1000
		f.Segment(&event.Segment{Frame: frame, Time: now, Src: src, Dst: dst, Flags: flags,
			Seq: seq, Ack: ack, Len: n, Window: 500, Has: event.HasIPID, IPID: uint16(frame)})
	}
	send(c, s, event.SYN, 1000, 0, 0)
	send(s, c, event.SYN|event.ACK, 5000, 1001, 0)
	send(c, s, event.ACK, 1001, 5001, 0)
	return func() {
		send(c, s, event.PSH|event.ACK, pos, 5001, 1448)
		pos = pos.Add(1448)
		send(s, c, event.ACK, 5001, pos, 0)
	}
}

func TestNoAllocationPerSegment(t *testing.T) {
	f := NewFollower(analyze.Options{}, func(*analyze.Connection) {})
	step := dialogue(f)
	step()
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("%v allocations for two segments of an open connection, want 0", n)
	}
}

// TestBeyondFourGiB follows more data than sequence numbers can count.
func TestBeyondFourGiB(t *testing.T) {
	var got *analyze.Connection
	f := NewFollower(analyze.Options{}, func(c *analyze.Connection) { got = c })
	c, s := netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:80")
	frame, pos := uint64(0), seqnum.Value(4_000_000_001)
	send := func(src, dst netip.AddrPort, flags event.Flags, seq, ack seqnum.Value, n uint32) {
		frame++
		f.Segment(&event.Segment{Frame: frame, Time: event.Time(frame), Src: src, Dst: dst, Flags: flags, Seq: seq, Ack: ack, Len: n, Window: 500})
	}
	send(c, s, event.SYN, 4_000_000_000, 0, 0)
	send(s, c, event.SYN|event.ACK, 7, 4_000_000_001, 0)
	send(c, s, event.ACK, 4_000_000_001, 8, 0)
	const chunk, chunks = 1 << 20, 5 << 10
	for range chunks {
		send(c, s, event.ACK, pos, 8, chunk)
		pos = pos.Add(chunk)
		send(s, c, event.ACK, 8, pos, 0)
	}
	send(c, s, event.FIN|event.ACK, pos, 8, 0)
	send(s, c, event.FIN|event.ACK, 8, pos.Add(1), 0)
	send(c, s, event.ACK, pos.Add(1), 9, 0)
	f.Finish()
	if want := uint64(chunk) * chunks; got.Bytes.Client != want {
		t.Errorf("client sent %d bytes, want %d", got.Bytes.Client, want)
	}
	fin := got.Segments[3]
	if want := int64(chunk)*chunks + 1; fin.Seq != want || fin.Kind != analyze.KindFin {
		t.Errorf("%s at %d, want fin at %d", fin.Kind, fin.Seq, want)
	}
	if got.Ending != analyze.Graceful {
		t.Errorf("ending %s, want graceful", got.Ending)
	}
}

// TestMemoryFollowsOpenConnections opens and closes many connections, few at a time.
func TestMemoryFollowsOpenConnections(t *testing.T) {
	done := 0
	f := NewFollower(analyze.Options{}, func(*analyze.Connection) { done++ })
	for i := range 100_000 {
		src := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 40000)
		dst := netip.MustParseAddrPort("10.255.0.1:80")
		at := event.Time(i) * 1e7
		for j, s := range []event.Segment{
			{Src: src, Dst: dst, Flags: event.SYN, Seq: 1},
			{Src: dst, Dst: src, Flags: event.RST | event.ACK, Ack: 2},
		} {
			s.Frame, s.Time = uint64(2*i+j+1), at+event.Time(j)
			f.Segment(&s)
		}
		if open := f.Stats().Open; open > 1300 {
			t.Fatalf("%d connections held after %d, want no more than those of 12 s", open, i)
		}
	}
	f.Finish()
	if done != 100_000 {
		t.Errorf("%d connections, want 100000", done)
	}
}

func TestFloodIsBounded(t *testing.T) {
	f := NewFollower(analyze.Options{MaxConnections: 1000}, func(*analyze.Connection) {})
	dst := netip.MustParseAddrPort("10.255.0.1:80")
	for i := range 50_000 {
		src := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 40000)
		f.Segment(&event.Segment{Frame: uint64(i + 1), Time: event.Time(i + 1), Src: src, Dst: dst, Flags: event.SYN})
	}
	if st := f.Stats(); st.Open > 1000 || st.Evicted != 49_000 {
		t.Errorf("%d held, %d evicted; want 1000 and 49000", st.Open, st.Evicted)
	}
}

func BenchmarkSegment(b *testing.B) {
	f := NewFollower(analyze.Options{}, func(*analyze.Connection) {})
	step := dialogue(f)
	b.ReportAllocs()
	for b.Loop() {
		step()
	}
}

// BenchmarkConnections follows whole connections, twenty thousand open at a time.
func BenchmarkConnections(b *testing.B) {
	f := NewFollower(analyze.Options{}, func(*analyze.Connection) {})
	dst := netip.MustParseAddrPort("10.255.0.1:80")
	const open = 20_000
	script := []struct {
		server bool
		flags  event.Flags
		seq    seqnum.Value
		ack    seqnum.Value
		n      uint32
	}{
		{false, event.SYN, 0, 0, 0}, {true, event.SYN | event.ACK, 0, 1, 0}, {false, event.ACK, 1, 1, 0},
		{false, event.ACK, 1, 1, 500}, {true, event.ACK, 1, 501, 0}, {true, event.ACK, 1, 501, 1448},
		{true, event.ACK, 1449, 501, 1448}, {false, event.ACK, 501, 2897, 0}, {true, event.ACK, 2897, 501, 1448},
		{true, event.ACK, 4345, 501, 1448}, {false, event.ACK, 501, 5793, 0}, {false, event.FIN | event.ACK, 501, 5793, 0},
		{true, event.ACK, 5793, 502, 0}, {true, event.FIN | event.ACK, 5793, 502, 0}, {false, event.ACK, 502, 5794, 0},
	}
	b.ReportAllocs()
	frame := uint64(0)
	for round := 0; b.Loop(); round++ {
		step := round / open % len(script)
		gen := round / open / len(script)
		i := round%open + gen*open
		src := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 40000)
		p := script[step]
		s := event.Segment{Src: src, Dst: dst, Flags: p.flags, Seq: p.seq, Ack: p.ack, Len: p.n, Window: 500}
		if p.server {
			s.Src, s.Dst = dst, src
		}
		frame++
		s.Frame, s.Time = frame, event.Time(frame)*100_000
		f.Segment(&s)
	}
}

// TestLateSegmentsStartNothing sends a late segment of each of many connections that were forgotten: none
// of them begins another connection, until it is too late for a segment of the old one.
func TestLateSegmentsStartNothing(t *testing.T) {
	const n = 20_000
	done := 0
	f := NewFollower(analyze.Options{}, func(*analyze.Connection) { done++ })
	dst := netip.MustParseAddrPort("10.255.0.1:80")
	frame, now := uint64(0), event.Time(0)
	send := func(i int, flags event.Flags, seq seqnum.Value) {
		frame++
		now++
		src := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 40000)
		f.Segment(&event.Segment{Frame: frame, Time: now, Src: src, Dst: dst, Flags: flags, Seq: seq})
	}
	for i := range n {
		send(i, event.SYN, 1)
		send(i, event.FIN|event.ACK, 2)
		send(i, event.RST, 3)
	}
	now = now.Add(12 * time.Second)
	for i := range n {
		send(i, event.RST, 3)
	}
	if st := f.Stats(); done != n || st.Strays != n {
		t.Errorf("%d connections, %d strays; want %d of each", done, st.Strays, n)
	}
	now = now.Add(10 * time.Minute)
	send(0, event.RST, 3)
	f.Finish()
	if st := f.Stats(); done != n+1 || st.Strays != n {
		t.Errorf("%d connections, %d strays; want %d and %d", done, st.Strays, n+1, n)
	}
}

// TestLastAcksAreAwaited lets more connections close at a time than wait in the backlog, and
// acknowledges their last FINs only then.
func TestLastAcksAreAwaited(t *testing.T) {
	const n = 2 * maxWaiting
	endings := map[analyze.Ending]int{}
	f := NewFollower(analyze.Options{}, func(c *analyze.Connection) { endings[c.Ending]++ })
	dst := netip.MustParseAddrPort("10.255.0.1:80")
	frame := uint64(0)
	send := func(i int, fromServer bool, flags event.Flags, seq, ack seqnum.Value) {
		frame++
		src := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 40000)
		s := event.Segment{Frame: frame, Time: event.Time(frame) * 1e4, Src: src, Dst: dst, Flags: flags, Seq: seq, Ack: ack, Window: 500}
		if fromServer {
			s.Src, s.Dst = dst, src
		}
		f.Segment(&s)
	}
	for i := range n {
		send(i, false, event.SYN, 0, 0)
		send(i, true, event.SYN|event.ACK, 0, 1)
		send(i, false, event.ACK, 1, 1)
		send(i, false, event.FIN|event.ACK, 1, 1)
		send(i, true, event.FIN|event.ACK, 1, 2)
	}
	for i := range n {
		send(i, false, event.ACK, 2, 2)
	}
	f.Finish()
	if st := f.Stats(); endings[analyze.Graceful] != n || st.Strays != 0 || st.Evicted != 0 {
		t.Errorf("endings %v, %d strays, %d evicted; want %d graceful", endings, st.Strays, st.Evicted, n)
	}
}

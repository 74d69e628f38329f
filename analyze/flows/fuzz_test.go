package flows

import (
	"encoding/json"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// FuzzBacklog follows what FuzzFollower does, several segments at a time as usual and each at
// once: it must come to the same. So little time passes that nothing is forgotten before.
func FuzzBacklog(f *testing.F) {
	f.Add([]byte("\x02\x00\x00\x00\x12\x01\x00\x00\x10\x00\x00\x00\x11\x00\x00\x00\x11\x01\x00\x00\x10\x00\x00\x00"))
	f.Add([]byte("\x02\x00\x00\x00\x12\x01\x00\x00\x10\x00\x00\x00\x14\x00\x00\x00\x02\x00\xff\x00\x02\x00\xff\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		segments := improvise(data)
		for i := range segments {
			segments[i].Time = 1e12 + (segments[i].Time-1e12)/4096
		}
		var usual, atOnce []*analyze.Connection
		f := NewFollower(analyze.Options{}, func(c *analyze.Connection) { usual = append(usual, c) })
		g := NewFollower(analyze.Options{}, func(c *analyze.Connection) { atOnce = append(atOnce, c) })
		f.Segments(segments)
		for i := range segments {
			g.Segment(&segments[i])
			for _, p := range g.table.all(nil) {
				g.catchUp(p)
			}
		}
		f.Finish()
		g.Finish()
		for _, conns := range [][]*analyze.Connection{usual, atOnce} {
			slices.SortFunc(conns, func(a, b *analyze.Connection) int { return a.ID - b.ID })
		}
		want, _ := json.MarshalIndent(atOnce, "", " ")
		got, _ := json.MarshalIndent(usual, "", " ")
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("followed later (-at once +later):\n%s", diff)
		}
		if f.Stats() != g.Stats() {
			t.Errorf("stats %+v, at once %+v", f.Stats(), g.Stats())
		}
	})
}

// FuzzFollower makes segments of the input's bytes, most of them close to what two stacks
// could send, and demands that every result is valid.
func FuzzFollower(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x02\x00\x00\x00\x12\x01\x00\x00\x10\x00\x00\x00\x11\x00\x00\x00\x11\x01\x00\x00\x10\x00\x00\x00"))
	f.Add([]byte("\x02\x00\x00\x00\x12\x01\x00\x00\x10\x00\x00\x00\x18\x00\x00\x10\x11\x00\x00\x00\x18\x01\x00\x10\x04\x00\x00\x00"))
	f.Add([]byte("\x02\x00\x00\x00\x02\x01\x00\x00\x12\x00\x00\x00\x12\x01\x00\x00\x11\x01\x11\x00\x11\x00\x11\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		segments := improvise(data)
		for _, opt := range []analyze.Options{
			{AllSegments: true}, {SameHost: true, AllSegments: true}, {MaxConnections: 2},
		} {
			var conns []*analyze.Connection
			f := NewFollower(opt, func(c *analyze.Connection) { conns = append(conns, c) })
			for i := range segments {
				f.Segment(&segments[i])
			}
			f.Finish()
			for _, err := range analyze.Validate(&analyze.Result{Connections: conns}) {
				t.Errorf("%+v: %v", opt, err)
			}
			listed := f.Stats().Strays
			for _, c := range conns {
				listed += uint64(len(c.Segments)) + c.Omitted
			}
			if listed != uint64(len(segments)) {
				t.Errorf("%+v: %d segments in the results, want %d", opt, listed, len(segments))
			}
			if _, err := json.Marshal(conns); err != nil {
				t.Error(err)
			}
		}
	})
}

// improvise turns four bytes at a time into a segment: flags; end, connection and how odd the
// numbers are; how much time passes; length and window.
func improvise(data []byte) []event.Segment {
	ends := [2]netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:80")}
	other := netip.MustParseAddrPort("10.0.0.3:40000")
	nxt := [2]seqnum.Value{4294967290, 1000}
	now := event.Time(1e12)
	var out []event.Segment
	for len(data) >= 4 && len(out) < 400 {
		flags, how, gap, size := event.Flags(data[0]), data[1], data[2], data[3]
		data = data[4:]
		e := how & 1
		now += event.Time(gap) * event.Time(gap) * 1e6
		s := event.Segment{
			Frame: uint64(len(out) + 1), Time: now, Src: ends[e], Dst: ends[1-e], Flags: flags,
			Seq: nxt[e], Ack: nxt[1-e], Len: uint32(size), Window: uint16(how) << 4, IPID: uint16(gap),
			Has: event.Has(how) << 6, TTL: 64,
		}
		if how&2 != 0 && e == 0 {
			s.Src = other
		}
		switch how >> 5 {
		case 1:
			s.Seq -= seqnum.Value(size) + 1
		case 2:
			s.Seq += seqnum.Value(gap)
		case 3:
			s.Ack -= seqnum.Value(gap)
		case 4:
			s.Ack += seqnum.Value(size)
		case 5:
			s.Seq = seqnum.Value(size) << 24
		case 6:
			s.Time -= event.Time(gap) * 1e7
		case 7:
			s.Dst = s.Src
		}
		if flags&event.RST == 0 {
			nxt[e] = s.End().Max(nxt[e])
		}
		out = append(out, s)
	}
	return out
}

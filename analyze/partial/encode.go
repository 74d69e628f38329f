package partial

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// A part is the magic, the version, a CRC-32C of what follows, the point's name, and runs, ordered by their
// endpoints. A run has the endpoints, how many segments follow, and those. Numbers are varints.
//
// A segment is the mask of the facts that are not as its predecessors let expect, where it stands, when it came,
// and for each fact in the mask how far it is from what was expected.
const (
	magic      = "ccp"
	version    = 1
	headerSize = len(magic) + 1 + 4
	// runSize is about what a run takes besides its bytes, and maxSegment the most bytes of a segment.
	runSize    = 512
	maxSegment = 160
	// maxRun is what the name, the endpoints and the count may take in front of a run's segments.
	maxRun = MaxPoint + 64
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// facts are what a segment says, as numbers of 32 bits, in the order of the mask's bits: those that are
// rarely as expected come first.
const (
	ack = iota
	length
	window
	tsVal
	tsEcr
	flags
	seq
	ipid
	has
	ttl
	iface
	sackLeft
	sackRight
	mss
	wscale
	fastOpenLen
	marks
	facts
)

// The bits of a segment's mask before those of the facts, and of its marks.
const (
	swapped  = 1 << iota // it came from the higher endpoint
	late                 // its own frame is not where it stands
	maskBits = iota

	scaleFirst = 1
	tlsAlert   = 2
	sackTwice  = 4
)

type values [facts]uint32

func valuesOf(s *event.Segment) values {
	o := &s.Options
	v := values{
		seq: uint32(s.Seq), ack: uint32(s.Ack), length: s.Len, window: uint32(s.Window), ipid: uint32(s.IPID),
		flags: uint32(s.Flags), ttl: uint32(s.TTL), has: uint32(s.Has), iface: s.Interface,
		mss: uint32(o.MSS), wscale: uint32(o.WScale), tsVal: o.TSVal, tsEcr: o.TSEcr,
		sackLeft: uint32(o.SACKLeft), sackRight: uint32(o.SACKRight), fastOpenLen: uint32(o.FastOpenLen),
	}
	if o.ScaleFirst {
		v[marks] |= scaleFirst
	}
	if o.TLSAlert {
		v[marks] |= tlsAlert
	}
	if o.SACKTwice {
		v[marks] |= sackTwice
	}
	return v
}

// set is the reverse of valuesOf. It reports whether each number fits its fact.
func (v *values) set(s *event.Segment) bool {
	s.Seq, s.Ack, s.Len, s.Window, s.IPID = seqnum.Value(v[seq]), seqnum.Value(v[ack]), v[length], uint16(v[window]), uint16(v[ipid])
	s.Flags, s.TTL, s.Has, s.Interface = event.Flags(v[flags]), uint8(v[ttl]), event.Has(v[has]), v[iface]
	s.Options = event.Options{
		MSS: uint16(v[mss]), WScale: uint8(v[wscale]), TSVal: v[tsVal], TSEcr: v[tsEcr],
		SACKLeft: seqnum.Value(v[sackLeft]), SACKRight: seqnum.Value(v[sackRight]), FastOpenLen: uint8(v[fastOpenLen]),
		ScaleFirst: v[marks]&scaleFirst != 0, TLSAlert: v[marks]&tlsAlert != 0, SACKTwice: v[marks]&sackTwice != 0,
	}
	return valuesOf(s) == *v
}

// past is what is known of a run when the next segment comes.
type past struct {
	at   position
	time event.Time
	of   [2]values // the last of each end
	next [2]seqnum.Value
}

// expect returns what the next segment of an end is likely to say.
func (p *past) expect(end int) values {
	v := p.of[end]
	v[seq] = uint32(p.next[end])
	v[ack] = uint32(p.next[1-end])
	v[ipid] = uint32(uint16(v[ipid] + 1))
	v[tsEcr] = p.of[1-end][tsVal]
	return v
}

func (p *past) keep(end int, s *event.Segment, v *values, at position) {
	p.at, p.time, p.of[end], p.next[end] = at, s.Time, *v, s.End()
}

// run is a connection's segments as they are packed.
type run struct {
	pair event.Pair
	n    int
	b    []byte
	past past
	// cuts are where the run may be cut so that each piece fits a part; what follows starts anew.
	cuts []cut
}

type cut struct{ n, at int }

// add packs s, which stands at a position.
func (r *run) add(s *event.Segment, at position) {
	began := cut{}
	if len(r.cuts) > 0 {
		began = r.cuts[len(r.cuts)-1]
	}
	if len(r.b)-began.at > MaxPart/2-maxSegment {
		r.cuts = append(r.cuts, cut{r.n, len(r.b)})
		r.past = past{}
	}
	end := 0
	mask := uint64(0)
	if s.Src != r.pair.A {
		end, mask = 1, swapped
	}
	if s.Frame != at.frame || at.after > 0 {
		mask |= late
	}
	v, expected := valuesOf(s), r.past.expect(end)
	for i := range v {
		if v[i] != expected[i] {
			mask |= 1 << (maskBits + i)
		}
	}
	b := binary.AppendUvarint(r.b, mask)
	b = binary.AppendUvarint(b, at.frame-r.past.at.frame)
	if mask&late != 0 {
		b = binary.AppendUvarint(b, uint64(at.after))
		b = binary.AppendUvarint(b, s.Frame)
	}
	b = binary.AppendVarint(b, int64(s.Time-r.past.time))
	for i := range v {
		if v[i] != expected[i] {
			b = binary.AppendVarint(b, int64(int32(v[i]-expected[i])))
		}
	}
	r.b = b
	r.n++
	r.past.keep(end, s, &v, at)
}

// writer puts runs into parts of at most MaxPart bytes.
type writer struct {
	point string
	emit  func(part []byte) error
	part  []byte
}

func (w *writer) run(r *run) error {
	from := cut{}
	for _, to := range append(r.cuts, cut{r.n, len(r.b)}) {
		piece := r.b[from.at:to.at]
		if len(w.part)+maxRun+len(piece) > MaxPart {
			if err := w.flush(); err != nil {
				return err
			}
		}
		if w.part == nil {
			w.part = append(w.part, magic...)
			w.part = append(w.part, version, 0, 0, 0, 0)
			w.part = binary.AppendUvarint(w.part, uint64(len(w.point)))
			w.part = append(w.part, w.point...)
		}
		w.part = appendPair(w.part, r.pair)
		w.part = binary.AppendUvarint(w.part, uint64(to.n-from.n))
		w.part = append(w.part, piece...)
		from = to
	}
	return nil
}

func (w *writer) flush() error {
	if w.part == nil {
		return nil
	}
	binary.BigEndian.PutUint32(w.part[headerSize-4:], crc32.Checksum(w.part[headerSize:], castagnoli))
	part := w.part
	w.part = nil
	return w.emit(part)
}

// The endpoints begin with which of their addresses are IPv6.
const (
	lowerIs6 = 1 << iota
	higherIs6
)

func appendPair(b []byte, p event.Pair) []byte {
	kind := byte(0)
	if !p.A.Addr().Is4() {
		kind |= lowerIs6
	}
	if !p.B.Addr().Is4() {
		kind |= higherIs6
	}
	b = append(b, kind)
	b = append(append(b, p.A.Addr().AsSlice()...), p.B.Addr().AsSlice()...)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, p.A.Port()), p.B.Port())
}

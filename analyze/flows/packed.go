package flows

import (
	"encoding/binary"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// A packed entry says only in what it differs from what was to be expected after those before it: 17
// bytes instead of 64, of usual traffic. It begins with a mask of what it says.
const (
	fromHigher = 1 << iota // entry.swapped
	hasSeq                 // not the next number of its direction
	hasAck                 // not the next number of the other direction
	hasLen                 // not 0
	longLen                // more than 16 bits
	hasWindow              // not that of its direction before
	hasIPID                // not one more than that of its direction before
	hasTSVal               // not that of its direction before
	hasTSEcr               // not the other direction's last
	shortFrame             // less than 65,536 after the one before
	longTime               // frame and time in full
	hasFlags               // not a plain ACK
	hasOrigin              // TTL or what the packet has, other than that of its direction before
	hasRest                // SACK, options of a SYN, an interface other than the one before
)

// maxPacked is more bytes than an entry takes packed.
const maxPacked = 2 + 16 + 4 + 4 + 4 + 2 + 2 + 4 + 4 + 1 + 3 + 18

// expected is what the next entry will probably be: what the one before was, and of each direction the last.
type expected struct {
	frame uint64
	time  event.Time
	iface uint32
	way   [2]struct {
		next   seqnum.Value
		tsVal  uint32
		window uint16
		ipid   uint16
		has    event.Has
		ttl    uint8
	}
}

// pack appends t to b, and expects what may follow.
func (x *expected) pack(b []byte, t *entry) []byte {
	at := len(b)
	b = append(b, 0, 0)
	i := b2i(t.swapped)
	way, other := &x.way[i], &x.way[1-i]
	mask := uint16(i)
	le := binary.LittleEndian
	b, mask = x.packTime(b, t, mask)
	if t.seq != way.next {
		mask |= hasSeq
		b = le.AppendUint32(b, uint32(t.seq))
	}
	if t.ack != other.next {
		mask |= hasAck
		b = le.AppendUint32(b, uint32(t.ack))
	}
	if t.len != 0 {
		mask |= hasLen
		b = le.AppendUint16(b, uint16(t.len))
		if t.len >= 1<<16 {
			mask |= longLen
			b = le.AppendUint16(b, uint16(t.len>>16))
		}
	}
	if t.window != way.window {
		mask |= hasWindow
		b = le.AppendUint16(b, t.window)
	}
	if t.ipid != way.ipid+1 {
		mask |= hasIPID
		b = le.AppendUint16(b, t.ipid)
	}
	if t.tsVal != way.tsVal {
		mask |= hasTSVal
		b = le.AppendUint32(b, t.tsVal)
	}
	if t.tsEcr != other.tsVal {
		mask |= hasTSEcr
		b = le.AppendUint32(b, t.tsEcr)
	}
	if t.flags != event.ACK {
		mask |= hasFlags
		b = append(b, byte(t.flags))
	}
	if t.ttl != way.ttl || t.has != way.has {
		mask |= hasOrigin
		b = append(le.AppendUint16(b, uint16(t.has)), t.ttl)
	}
	if t.sackLeft|t.sackRight != 0 || t.iface != x.iface || t.mss != 0 || t.wscale|t.fastOpenLen != 0 || t.alert {
		mask |= hasRest
		b = le.AppendUint32(le.AppendUint32(le.AppendUint32(b, uint32(t.sackLeft)), uint32(t.sackRight)), t.iface)
		b = append(le.AppendUint16(b, t.mss), t.wscale, t.fastOpenLen, byte(b2i(t.alert)))
	}
	le.PutUint16(b[at:], mask)
	x.after(t)
	return b
}

// packTime appends when t was captured, as which frame, and adds to mask how it says so.
func (x *expected) packTime(b []byte, t *entry, mask uint16) ([]byte, uint16) {
	le := binary.LittleEndian
	switch frames, ns := t.frame-x.frame, uint64(t.time-x.time); {
	case frames >= 1<<32 || ns >= 1<<32:
		return le.AppendUint64(le.AppendUint64(b, t.frame), uint64(t.time)), mask | longTime
	case frames < 1<<16:
		return le.AppendUint16(le.AppendUint32(b, uint32(ns)), uint16(frames)), mask | shortFrame
	default:
		return le.AppendUint32(le.AppendUint32(b, uint32(ns)), uint32(frames)), mask
	}
}

// unpack reads t from the begin of b and returns what follows it.
func (x *expected) unpack(b []byte, t *entry) []byte {
	le := binary.LittleEndian
	mask := le.Uint16(b)
	b = b[2:]
	i := mask & fromHigher
	way, other := &x.way[i], &x.way[1-i]
	*t = entry{
		seq: way.next, ack: other.next, window: way.window, ipid: way.ipid + 1, tsVal: way.tsVal, tsEcr: other.tsVal,
		flags: event.ACK, ttl: way.ttl, has: way.has, iface: x.iface, swapped: i != 0,
	}
	switch {
	case mask&longTime != 0:
		t.frame, t.time, b = le.Uint64(b), event.Time(le.Uint64(b[8:])), b[16:]
	case mask&shortFrame != 0:
		t.time, t.frame, b = x.time+event.Time(le.Uint32(b)), x.frame+uint64(le.Uint16(b[4:])), b[6:]
	default:
		t.time, t.frame, b = x.time+event.Time(le.Uint32(b)), x.frame+uint64(le.Uint32(b[4:])), b[8:]
	}
	if mask&hasSeq != 0 {
		t.seq, b = seqnum.Value(le.Uint32(b)), b[4:]
	}
	if mask&hasAck != 0 {
		t.ack, b = seqnum.Value(le.Uint32(b)), b[4:]
	}
	if mask&hasLen != 0 {
		t.len, b = uint32(le.Uint16(b)), b[2:]
		if mask&longLen != 0 {
			t.len, b = t.len|uint32(le.Uint16(b))<<16, b[2:]
		}
	}
	if mask&hasWindow != 0 {
		t.window, b = le.Uint16(b), b[2:]
	}
	if mask&hasIPID != 0 {
		t.ipid, b = le.Uint16(b), b[2:]
	}
	if mask&hasTSVal != 0 {
		t.tsVal, b = le.Uint32(b), b[4:]
	}
	if mask&hasTSEcr != 0 {
		t.tsEcr, b = le.Uint32(b), b[4:]
	}
	if mask&hasFlags != 0 {
		t.flags, b = event.Flags(b[0]), b[1:]
	}
	if mask&hasOrigin != 0 {
		t.has, t.ttl, b = event.Has(le.Uint16(b)), b[2], b[3:]
	}
	if mask&hasRest != 0 {
		t.sackLeft, t.sackRight, t.iface = seqnum.Value(le.Uint32(b)), seqnum.Value(le.Uint32(b[4:])), le.Uint32(b[8:])
		t.mss, t.wscale, t.fastOpenLen, t.alert, b = le.Uint16(b[12:]), b[14], b[15], b[16] != 0, b[17:]
	}
	x.after(t)
	return b
}

// after expects what may follow t.
func (x *expected) after(t *entry) {
	x.frame, x.time, x.iface = t.frame, t.time, t.iface
	way := &x.way[b2i(t.swapped)]
	way.next = t.seq.Add(t.len)
	if t.flags&(event.SYN|event.FIN) != 0 {
		way.next = way.next.Add(1)
	}
	way.tsVal, way.window, way.ipid, way.has, way.ttl = t.tsVal, t.window, t.ipid, t.has, t.ttl
}

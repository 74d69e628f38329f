package decode

import (
	"encoding/binary"
	"net/netip"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// tcpLeast is how much of a TCP header must be there: up to and including the window.
const tcpLeast = 16

func (d *Decoder) tcp() Content {
	b := d.data
	if len(b) < tcpLeast {
		d.short()
		return Unparsed
	}
	header := int(b[12]>>4) * 4
	if header < 20 || header > d.wire {
		d.broken(BadTCPOffset)
		return Unparsed
	}
	s := d.seg
	readHeader(b, s)
	s.Len = uint32(d.wire - header)
	d.completeness(b)
	switch {
	case header > len(b):
		s.Has |= event.OptionsTruncated
		if len(b) > 20 {
			readOptions(b[20:], s)
		}
	case header > 20:
		readOptions(b[20:header], s)
	}
	if s.Len-1 < mostAlerts && len(b) == d.wire && b[header] == tlsAlert {
		s.Options.TLSAlert = tlsAlerts(b[header:])
	}
	return TCP
}

// completeness notes what of the segment b the capture took away, and verifies what is whole.
func (d *Decoder) completeness(b []byte) {
	s := d.seg
	switch {
	case d.cut:
		s.Has |= event.Fragmented
	case d.whole:
		if d.snapped {
			s.Has |= event.Truncated
		}
	case len(b) < d.wire:
		if !d.continued { // otherwise the rest is in the tunnel's further fragments
			s.Has |= event.Truncated
		}
	case !d.SkipChecksums && !d.noSum && !checksumOK(b, d.addresses):
		s.Has |= event.BadChecksum
	}
}

// A TLS alert's record type (RFC 8446 5.1), and up to how many bytes are looked at: an alert has two,
// encrypted some forty.
const (
	tlsAlert   = 21
	mostAlerts = 256
)

// tlsAlerts reports whether the payload p is TLS alerts and nothing else. From TLS 1.3 on encrypted ones
// look like data.
func tlsAlerts(p []byte) bool {
	const header = 5
	for len(p) > 0 {
		if len(p) < header+2 || p[0] != tlsAlert || p[1] != 3 || p[2] > 4 {
			return false
		}
		size := header + int(binary.BigEndian.Uint16(p[3:]))
		if size < header+2 || size > len(p) {
			return false
		}
		p = p[size:]
	}
	return true
}

func readHeader(b []byte, s *event.Segment) {
	_ = b[tcpLeast-1]
	s.Src = netip.AddrPortFrom(s.Src.Addr(), binary.BigEndian.Uint16(b))
	s.Dst = netip.AddrPortFrom(s.Dst.Addr(), binary.BigEndian.Uint16(b[2:]))
	s.Seq = seqnum.Value(binary.BigEndian.Uint32(b[4:]))
	s.Ack = seqnum.Value(binary.BigEndian.Uint32(b[8:]))
	s.Flags = event.Flags(b[13])
	s.Window = binary.BigEndian.Uint16(b[14:])
}

// TCP option kinds (IANA).
const (
	optEnd           = 0
	optNop           = 1
	optMSS           = 2
	optWScale        = 3
	optSACKPermitted = 4
	optSACK          = 5
	optTimestamps    = 8
	optMultipath     = 30
	optFastOpen      = 34
	optExperiment    = 254
)

// readOptions reads options until their end or the first one that is malformed. An option
// whose length is not the one its RFC gives it counts as absent.
func readOptions(b []byte, s *event.Segment) {
	// The only options of almost every segment: NOP, NOP, timestamps (RFC 7323 appendix A).
	if len(b) == 12 && binary.BigEndian.Uint32(b) == 0x0101080a {
		readOption(optTimestamps, b[4:], s)
		return
	}
	for len(b) > 0 {
		switch b[0] {
		case optEnd:
			return
		case optNop:
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			return
		}
		readOption(b[0], b[2:b[1]], s)
		b = b[b[1]:]
	}
}

func readOption(kind uint8, v []byte, s *event.Segment) {
	o := &s.Options
	switch {
	case kind == optMSS && len(v) == 2:
		o.MSS, s.Has = binary.BigEndian.Uint16(v), s.Has|event.HasMSS
	case kind == optWScale && len(v) == 1:
		o.WScale, s.Has = v[0], s.Has|event.HasWScale
	case kind == optSACKPermitted && len(v) == 0:
		s.Has |= event.HasSACKPermitted
	case kind == optSACK && len(v) >= 8 && len(v)%8 == 0:
		o.SACKLeft = seqnum.Value(binary.BigEndian.Uint32(v))
		o.SACKRight = seqnum.Value(binary.BigEndian.Uint32(v[4:]))
		if len(v) >= 16 {
			left, right := seqnum.Value(binary.BigEndian.Uint32(v[8:])), seqnum.Value(binary.BigEndian.Uint32(v[12:]))
			o.SACKTwice = left.LessEq(o.SACKLeft) && o.SACKRight.LessEq(right)
		}
		s.Has |= event.HasSACK
	case kind == optTimestamps && len(v) == 8:
		o.TSVal, o.TSEcr = binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
		o.ScaleFirst = s.Has.With(event.HasWScale)
		s.Has |= event.HasTimestamps
	case kind == optMultipath && len(v) >= 1:
		s.Has |= event.HasMultipath
		if v[0]>>4 == 2 && len(v) >= 2 && v[1]&0x10 != 0 { // DSS with DATA_FIN (RFC 8684 3.3)
			s.Has |= event.DataFin
		}
	case kind == optFastOpen:
		o.FastOpenLen, s.Has = uint8(len(v)), s.Has|event.HasFastOpen
	case kind == optExperiment && len(v) >= 2 && v[0] == 0xf9 && v[1] == 0x89: // RFC 7413 9
		o.FastOpenLen, s.Has = uint8(len(v)-2), s.Has|event.HasFastOpen
	}
}

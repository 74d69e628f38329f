package pcapfile

import (
	"encoding/binary"
	"io"
	"math/bits"

	"github.com/closecap/closecap/analyze/event"
)

// Magic numbers of pcap files, as libpcap's sf-pcap.c accepts them.
const (
	magicMicro     = 0xa1b2c3d4
	magicNano      = 0xa1b23c4d
	magicKuznetzov = 0xa1b2cd34 // a patched libpcap of the 1990s: longer packet headers
)

// maxPacket bounds what one record may hold. Linux captures at most 256 KiB.
const maxPacket = 16 << 20

// pcap reads the format of https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html.
type pcap struct {
	file     *file
	swapped  bool  // the file has its numbers in big-endian order
	odd      bool  // they are that, or the lengths may be the other way round
	scale    int64 // nanoseconds of the fraction's unit
	header   int   // size of a packet's header
	minor    uint16
	linkType uint16
	id       uint32
}

func pcapMagic(b []byte) (uint32, binary.ByteOrder) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch magic := order.Uint32(b); magic {
		case magicMicro, magicNano, magicKuznetzov:
			return magic, order
		}
	}
	return 0, nil
}

func newPcap(f *file, magic uint32, order binary.ByteOrder) (*pcap, error) {
	b, err := f.source.peek(24)
	if err != nil {
		return nil, f.fail(err, "file header")
	}
	p := &pcap{file: f, swapped: order == binary.BigEndian, scale: 1000, header: 16}
	switch magic {
	case magicNano:
		p.scale = 1
	case magicKuznetzov:
		p.header = 24
	}
	major := order.Uint16(b[4:])
	p.minor = order.Uint16(b[6:])
	if major < 2 {
		return nil, f.fail(nil, "pcap version %d.%d is not supported", major, p.minor)
	}
	if major > 2 { // AIX's 543.0 has its lengths in the usual order
		p.minor = 4
	}
	// The upper half says how long the frame check sequence is, not what the link is.
	p.linkType = uint16(order.Uint32(b[20:]))
	p.id, err = f.addInterface(Interface{LinkType: p.linkType, SnapLen: order.Uint32(b[16:])})
	if err != nil {
		return nil, err
	}
	p.odd = p.swapped || p.minor <= 3
	f.source.skip(24)
	return p, nil
}

func (f *file) addInterface(i Interface) (uint32, error) {
	r := f.reader
	if f.interfaces++; f.interfaces > maxInterfaces {
		return 0, f.fail(nil, "more than %d interfaces", maxInterfaces)
	}
	if len(r.interfaces) >= maxAllInterfaces {
		return 0, f.fail(nil, "more than %d interfaces in all files", maxAllInterfaces)
	}
	i.File, i.Name, i.Filter = f.path, r.name(i.Name), r.name(i.Filter)
	r.interfaces = append(r.interfaces, i)
	return uint32(len(r.interfaces) - 1), nil
}

// mend puts a packet header's numbers right.
func (p *pcap) mend(sec, frac, captured, wire uint32) (_, _, _, _ uint32) {
	if p.swapped {
		sec, frac = bits.ReverseBytes32(sec), bits.ReverseBytes32(frac)
		captured, wire = bits.ReverseBytes32(captured), bits.ReverseBytes32(wire)
	}
	// libpcap before 2.4 wrote the two lengths the other way round, and 2.3 did either.
	if p.minor < 3 || p.minor == 3 && captured > wire {
		captured, wire = wire, captured
	}
	return sec, frac, captured, wire
}

func (p *pcap) next(rec *Record) error {
	s := p.file.source
	if err := s.have(p.header); err != nil {
		if err == io.EOF {
			return err
		}
		return p.file.fail(err, "packet header")
	}
	h := (*[16]byte)(s.buf[s.lo:])
	sec, frac := binary.LittleEndian.Uint32(h[0:]), binary.LittleEndian.Uint32(h[4:])
	captured, wire := binary.LittleEndian.Uint32(h[8:]), binary.LittleEndian.Uint32(h[12:])
	if p.odd {
		sec, frac, captured, wire = p.mend(sec, frac, captured, wire)
	}
	if captured > maxPacket {
		return p.file.fail(nil, "packet header: captured length %d is beyond %d", captured, maxPacket)
	}
	n := p.header + int(captured)
	if err := s.have(n); err != nil {
		return p.file.fail(err, "packet data: %d of %d bytes", max(0, s.hi-s.lo-p.header), captured)
	}
	// All that another packet of the file may have set, field by field: a struct that is put
	// together elsewhere and then copied stalls the core until its small writes have settled.
	out := &rec.Packet
	out.Time = event.Time(int64(sec)*1e9 + int64(frac)*p.scale)
	out.WireLen = int(min(wire, 1<<30))
	out.LinkType, out.Interface = p.linkType, p.id
	s.skip(n)
	out.Data = s.buf[s.lo-int(captured) : s.lo : s.lo]
	return nil
}

package pcapfile

import (
	"encoding/binary"
	"io"
	"strings"

	"github.com/closecap/closecap/analyze/event"
)

// Block types (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html).
const (
	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockStats     = 5
	blockEnhanced  = 6
	blockJournal   = 9
	blockCustom    = 0x00000bad // and the same that editors must not copy:
	blockCustomOwn = 0x40000bad
	blockSection   = 0x0a0d0d0a
)

const (
	byteOrderMagic = 0x1a2b3c4d
	maxBlock       = maxPacket + 1<<16
	maxName        = 1024 // of an interface or filter; they are kept
)

// pcapng reads the blocks of one file.
type pcapng struct {
	file       *file
	order      binary.ByteOrder
	little     bool
	interfaces []ngInterface // of the section at hand
	call       event.Call    // of the entry that was handed out last
	damage     error         // of that entry, told after it
}

type ngInterface struct {
	id       uint32 // in the Reader's list
	linkType uint16
	snapLen  uint32
	clock    clock
	lost     uint64 // by the packets' own drop counts
	counted  bool   // a statistics block said it better
}

func (p *pcapng) next(rec *Record) error {
	if p.damage != nil {
		return p.damage
	}
	if p.usual(rec) {
		return nil
	}
	for {
		kind, body, size, err := p.block()
		if err != nil {
			return err
		}
		found := false
		switch kind {
		case blockSection:
			err = p.version(body)
		case blockEnhanced:
			found, err = true, p.enhanced(body, rec)
		case blockSimple:
			found, err = true, p.simple(body, rec)
		case blockPacket:
			found, err = true, p.obsolete(body, rec)
		case blockJournal:
			found, err = true, p.journal(body, rec)
		case blockCustom, blockCustomOwn:
			found = true
			rec.entry()
		case blockInterface:
			err = p.describe(body)
		case blockStats:
			err = p.stats(body)
		}
		if err != nil {
			return err
		}
		p.file.source.skip(size)
		if found {
			return nil
		}
	}
}

// usual reads the next block if it is as nearly all are, a whole packet without options, and leaves all others to block:
// half the instructions of reading one.
func (p *pcapng) usual(rec *Record) bool {
	s := p.file.source
	b := s.buf[s.lo:s.hi]
	const header, most = 28, 1 << 16
	if !p.little || len(b) < header || binary.LittleEndian.Uint32(b) != blockEnhanced {
		return false
	}
	length, id := binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	captured := binary.LittleEndian.Uint32(b[20:])
	end := header + int(captured)
	size := (end+3)&^3 + 4
	if captured > most || int(length) != size || size > len(b) || int(id) >= len(p.interfaces) || binary.LittleEndian.Uint32(b[size-4:]) != length {
		return false
	}
	p.fill(&rec.Packet, b[8:], b[header:end:end], &p.interfaces[id])
	s.skip(size)
	return true
}

// fill sets all that another packet may have set, field by field: see pcap.
func (p *pcapng) fill(out *event.Packet, b, data []byte, i *ngInterface) {
	out.Time = i.clock.time(uint64(p.uint32(b[4:]))<<32 | uint64(p.uint32(b[8:])))
	out.WireLen = int(min(p.uint32(b[16:]), 1<<30))
	out.LinkType, out.Interface, out.Direction = i.linkType, i.id, 0
	out.Data = data
	if out.Comment != "" {
		out.Comment = ""
	}
}

// block returns the next block without consuming it. Its body is valid until the next call.
func (p *pcapng) block() (kind uint32, body []byte, size int, err error) {
	s := p.file.source
	b, err := s.peek(12)
	if err != nil {
		if err == io.EOF {
			return 0, nil, 0, err
		}
		return 0, nil, 0, p.file.fail(err, "block header")
	}
	if binary.LittleEndian.Uint32(b) == blockSection {
		if err := p.section(b); err != nil {
			return 0, nil, 0, err
		}
	}
	kind, length := p.uint32(b), p.uint32(b[4:])
	if length < 12 || length%4 != 0 || kind == blockSection && length < 28 {
		return 0, nil, 0, p.file.fail(nil, "block type %#x: impossible length %d", kind, length)
	}
	if length > maxBlock {
		return 0, nil, 0, p.file.fail(nil, "block type %#x: length %d is beyond %d", kind, length, maxBlock)
	}
	size = int(length)
	if b, err = s.peek(size); err != nil {
		return 0, nil, 0, p.file.fail(err, "block type %#x: %d of %d bytes", kind, len(b), size)
	}
	if again := p.uint32(b[size-4:]); again != length {
		return 0, nil, 0, p.file.fail(nil, "block type %#x: length %d at its start, %d at its end", kind, length, again)
	}
	return kind, b[8 : size-4], size, nil
}

// section takes the byte order of a section header; what the section before it named is gone.
func (p *pcapng) section(b []byte) error {
	switch uint32(byteOrderMagic) {
	case binary.LittleEndian.Uint32(b[8:]):
		p.order, p.little = binary.LittleEndian, true
	case binary.BigEndian.Uint32(b[8:]):
		p.order, p.little = binary.BigEndian, false
	default:
		return p.file.fail(nil, "section header: no byte-order magic")
	}
	p.interfaces = nil
	return nil
}

func (p *pcapng) version(b []byte) error {
	if major := p.order.Uint16(b[4:]); major != 1 {
		return p.file.fail(nil, "pcapng version %d.%d is not supported", major, p.order.Uint16(b[6:]))
	}
	return nil
}

func (p *pcapng) uint32(b []byte) uint32 {
	if p.little {
		return binary.LittleEndian.Uint32(b)
	}
	return binary.BigEndian.Uint32(b)
}

func (p *pcapng) describe(b []byte) error {
	if len(b) < 8 {
		return p.file.fail(nil, "interface description: %d bytes", len(b))
	}
	i := ngInterface{linkType: p.order.Uint16(b), snapLen: p.order.Uint32(b[4:]), clock: microseconds}
	about := Interface{LinkType: i.linkType, SnapLen: i.snapLen}
	for code, v := range p.options(b[8:]) {
		switch {
		case code == optName:
			about.Name = text(v[:min(len(v), maxName)])
		case code == optFilter && len(v) > 1:
			about.Filter = text(v[1:min(len(v), maxName)]) // the first byte says that it is libpcap's language
		case code == optResolution && len(v) == 1:
			if err := i.clock.resolution(v[0]); err != nil {
				return p.file.fail(err, "interface description")
			}
		case code == optOffset && len(v) == 8:
			i.clock.offset = int64(p.order.Uint64(v))
		}
	}
	i.clock.settle()
	var err error
	if i.id, err = p.file.addInterface(about); err != nil {
		return err
	}
	p.interfaces = append(p.interfaces, i)
	return nil
}

// iface returns an interface of the section, which packets must have been told of before.
func (p *pcapng) iface(id uint32) (*ngInterface, error) {
	if int64(id) >= int64(len(p.interfaces)) {
		return nil, p.file.fail(nil, "packet of interface %d, of which %d are described", id, len(p.interfaces))
	}
	return &p.interfaces[id], nil
}

func (p *pcapng) enhanced(b []byte, rec *Record) error {
	if len(b) < 20 {
		return p.file.fail(nil, "enhanced packet: %d bytes", len(b))
	}
	i, err := p.iface(p.uint32(b))
	if err != nil {
		return err
	}
	return p.packet(b, 20, i, rec)
}

func (p *pcapng) obsolete(b []byte, rec *Record) error {
	if len(b) < 20 {
		return p.file.fail(nil, "packet block: %d bytes", len(b))
	}
	i, err := p.iface(uint32(p.order.Uint16(b)))
	if err != nil {
		return err
	}
	if drops := p.order.Uint16(b[2:]); drops != 0xffff {
		p.lost(i, uint64(drops))
	}
	return p.packet(b, 20, i, rec)
}

// packet reads what the enhanced and the obsolete block share.
func (p *pcapng) packet(b []byte, header int, i *ngInterface, rec *Record) error {
	captured := p.uint32(b[12:])
	if int64(captured) > int64(len(b)-header) {
		return p.file.fail(nil, "packet: captured length %d in a block of %d", captured, len(b)+12)
	}
	end := header + int(captured)
	p.fill(&rec.Packet, b, b[header:end:end], i)
	if rest := (end + 3) &^ 3; rest < len(b) {
		p.packetOptions(b[rest:], i, rec)
	}
	return nil
}

func (p *pcapng) packetOptions(b []byte, i *ngInterface, rec *Record) {
	for code, v := range p.options(b) {
		switch {
		case code == optComment && rec.Packet.Comment == "":
			rec.Packet.Comment = text(v)
		case code == optComment:
			rec.Packet.Comment += "\n" + text(v)
		case code == optFlags && len(v) == 4:
			rec.Packet.Direction = direction(p.uint32(v))
		case code == optDropCount && len(v) == 8:
			p.lost(i, p.order.Uint64(v))
		}
	}
}

// direction reads the lowest two bits of epb_flags.
func direction(flags uint32) event.Has {
	switch flags & 3 {
	case 1:
		return event.Incoming
	case 2:
		return event.Outgoing
	}
	return 0
}

// simple reads a packet that has no time and belongs to the section's first interface.
func (p *pcapng) simple(b []byte, rec *Record) error {
	if len(b) < 4 {
		return p.file.fail(nil, "simple packet: %d bytes", len(b))
	}
	i, err := p.iface(0)
	if err != nil {
		return err
	}
	wire := p.uint32(b)
	n := int(min(uint64(wire), uint64(len(b)-4)))
	if i.snapLen > 0 {
		n = int(min(uint64(n), uint64(i.snapLen)))
	}
	rec.Packet = event.Packet{
		WireLen: int(min(wire, 1<<30)), LinkType: i.linkType, Interface: i.id, Data: b[4 : 4+n : 4+n],
	}
	return nil
}

// stats reads drop counters, which count from the capture's start.
func (p *pcapng) stats(b []byte) error {
	if len(b) < 12 {
		return p.file.fail(nil, "interface statistics: %d bytes", len(b))
	}
	i, err := p.iface(p.uint32(b))
	if err != nil {
		return err
	}
	var n uint64
	for code, v := range p.options(b[12:]) {
		if (code == optIfDrop || code == optOSDrop) && len(v) == 8 {
			n += p.order.Uint64(v)
			i.counted = true
		}
	}
	if i.counted {
		p.file.reader.interfaces[i.id].Dropped = n
	}
	return nil
}

func (p *pcapng) lost(i *ngInterface, n uint64) {
	i.lost += n
	if !i.counted {
		p.file.reader.interfaces[i.id].Dropped = i.lost
	}
}

// text takes an option's string: without what follows a NUL, and valid.
func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return strings.ToValidUTF8(s, "\ufffd")
}

package decode

import (
	"encoding/binary"
	"net/netip"

	"github.com/closecap/closecap/analyze/event"
)

// Protocol numbers of what IP carries.
const (
	protoHopByHop = 0
	protoIPv4     = 4
	protoTCP      = 6
	protoUDP      = 17
	protoIPv6     = 41
	protoRouting  = 43
	protoFragment = 44
	protoGRE      = 47
	protoAH       = 51
	protoDestOpts = 60
	protoEtherIP  = 97
	protoMPLS     = 137
	protoEthernet = 143 // RFC 8986 4.9
)

func (d *Decoder) ip() layer {
	if len(d.data) == 0 {
		return d.short()
	}
	switch d.data[0] >> 4 {
	case 4:
		return layerIPv4
	case 6:
		return layerIPv6
	}
	return d.broken(BadIPVersion)
}

func (d *Decoder) ipv4() layer {
	b := d.data
	if len(b) < 20 {
		return d.short()
	}
	if b[0]>>4 != 4 {
		return d.broken(BadIPVersion)
	}
	header := int(b[0]&15) * 4
	total := int(binary.BigEndian.Uint16(b[2:]))
	if total == 0 { // segmentation offload: more than the field can say
		total = d.wire
	}
	if header < 20 || total < header {
		return d.broken(BadIPLength)
	}
	if total < len(b) { // what follows is an Ethernet trailer
		b = b[:total]
		d.data = b
	}
	d.wire, d.cut = total, false

	s := d.seg
	s.Src = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:16])), 0)
	s.Dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[16:20])), 0)
	s.IPID = binary.BigEndian.Uint16(b[4:])
	s.TTL = b[8]
	s.Has = s.Has&^event.BadIPChecksum | event.HasIPID
	d.addresses = binary.LittleEndian.Uint64(b[12:])
	if !d.SkipChecksums && !headerSumOK(b, header, d.addresses) {
		s.Has |= event.BadIPChecksum
	}
	d.noSum = header > 20 // a source route hides the address that was summed
	if !d.skip(header) {
		return layerBroken
	}
	if frag := binary.BigEndian.Uint16(b[6:]); frag&0x3fff != 0 {
		return d.fragment(b[9], uint32(s.IPID), int(frag&0x1fff)*8, frag&0x2000 != 0)
	}
	return d.protocol(b[9])
}

func (d *Decoder) protocol(proto uint8) layer {
	switch proto {
	case protoTCP:
		return layerTCP
	case protoUDP:
		return layerUDP
	case protoIPv4:
		return d.into(inIP, layerIPv4)
	case protoIPv6:
		return d.into(inIP, layerIPv6)
	case protoGRE:
		return d.into(inGRE, layerGRE)
	case protoAH:
		return layerAH
	case protoMPLS:
		return layerMPLS
	case protoEtherIP:
		return layerEtherIP
	case protoEthernet:
		return d.into(inIP, layerEthernet)
	}
	return d.other(stopIP, uint16(proto))
}

func (d *Decoder) ipv6() layer {
	b := d.data
	if len(b) < 40 {
		return d.short()
	}
	if b[0]>>4 != 6 {
		return d.broken(BadIPVersion)
	}
	total := int(binary.BigEndian.Uint16(b[4:])) + 40
	if total == 40 { // a jumbogram, or segmentation offload
		total = d.wire
	}
	if total < len(b) {
		b = b[:total]
		d.data = b
	}
	d.wire, d.cut = total, false

	s := d.seg
	s.Src = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:24])), 0)
	s.Dst = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[24:40])), 0)
	s.IPID = 0
	s.TTL = b[7]
	s.Has &^= event.HasIPID | event.BadIPChecksum
	d.addresses, d.noSum = sum(b[8:40]), false
	d.skip(40)
	return d.extensions(b[6])
}

// extensions walks IPv6 extension headers (RFC 8200 4) to what the packet carries.
func (d *Decoder) extensions(proto uint8) layer {
	for range maxLayers {
		switch proto {
		case protoHopByHop, protoDestOpts, protoRouting, 135, 139, 140: // mobility, HIP, shim6
			if len(d.data) < 8 {
				return d.short()
			}
			// RFC 8200 8.1: the checksum covers the final destination, not the next hop.
			d.noSum = d.noSum || proto == protoRouting && d.data[3] != 0
			size := int(d.data[1])*8 + 8
			proto = d.data[0]
			if !d.skip(size) {
				return layerBroken
			}
		case protoFragment:
			if len(d.data) < 8 {
				return d.short()
			}
			next, word := d.data[0], binary.BigEndian.Uint16(d.data[2:])
			id := binary.BigEndian.Uint32(d.data[4:])
			d.skip(8)
			if word&^6 != 0 {
				return d.fragment(next, id, int(word&^7), word&1 != 0)
			}
			proto = next // RFC 6946: an atomic fragment is whole
		default:
			return d.protocol(proto)
		}
	}
	return d.broken(TooDeep)
}

// ah skips an IPsec authentication header (RFC 4302): it authenticates and hides nothing.
func (d *Decoder) ah() layer {
	if len(d.data) < 12 {
		return d.short()
	}
	size, next := (int(d.data[1])+2)*4, d.data[0]
	if !d.skip(size) {
		return layerBroken
	}
	if d.seg.Src.Addr().Is6() {
		return d.extensions(next)
	}
	return d.protocol(next)
}

package decode

import (
	"encoding/binary"

	"github.com/closecap/closecap/analyze/event"
)

const etherIPv4 = 0x0800 // EtherType

func (d *Decoder) ethernet() layer {
	if len(d.data) < 14 {
		return d.short()
	}
	kind := binary.BigEndian.Uint16(d.data[12:])
	d.data, d.wire = d.data[14:], d.wire-14
	if kind == etherIPv4 {
		return layerIPv4
	}
	return d.etherType(kind)
}

// etherType names what follows a link header's type field; below 1536 it is an 802.3 length.
func (d *Decoder) etherType(kind uint16) layer {
	switch kind {
	case etherIPv4:
		return layerIPv4
	case 0x86dd:
		return layerIPv6
	case 0x8100, 0x88a8, 0x9100, 0x9200, 0x9300:
		return layerVLAN
	case 0x8926:
		return layerVNTag
	case 0x893f, 0x8909: // the E-TAG of 802.1BR, Cisco's metadata
		return layerTag6
	case 0x892f, 0xf1c1: // HSR (IEC 62439-3), the R-TAG of 802.1CB
		return layerTag4
	case 0x894f:
		return layerNSH
	case 0x88e7: // 802.1ah: the service's tag, then the customer's frame
		return layerBackbone
	case 0x8903:
		return layerFabricPath
	case 0x8847, 0x8848:
		return layerMPLS
	case 0x8864:
		return layerPPPoE
	case 0x880b:
		return layerPPP
	case 0x6558: // transparent Ethernet bridging, in GRE and Geneve
		return layerEthernet
	}
	if kind < 0x600 {
		return d.lengthOf(int(kind))
	}
	return d.other(stopEtherType, kind)
}

// lengthOf takes an 802.3 length, behind which there is only padding.
func (d *Decoder) lengthOf(n int) layer {
	if n < len(d.data) {
		d.data = d.data[:n]
	}
	d.wire = min(d.wire, n)
	return layerSNAP
}

// tag skips a tag of n bytes, behind which the EtherType of what was tagged stands.
func (d *Decoder) tag(n int) layer {
	if len(d.data) < n+2 {
		return d.short()
	}
	kind := binary.BigEndian.Uint16(d.data[n:])
	d.skip(n + 2)
	return d.etherType(kind)
}

// snap reads an 802.2 LLC header; only the SNAP one can lead to IP.
func (d *Decoder) snap() layer {
	if len(d.data) < 8 {
		if len(d.data) < d.wire {
			return d.short()
		}
		if len(d.data) == 0 {
			return d.other(stopLLC, 0)
		}
		return d.other(stopLLC, uint16(d.data[0])) // a bare LLC frame may be shorter
	}
	if d.data[0] != 0xaa || d.data[1] != 0xaa || d.data[2] != 3 {
		return d.other(stopLLC, uint16(d.data[0]))
	}
	oui := uint32(d.data[3])<<16 | uint32(d.data[4])<<8 | uint32(d.data[5])
	kind := binary.BigEndian.Uint16(d.data[6:])
	// RFC 1042 uses OUI 0; 802.1H bridges tunnel some types under 00:00:f8.
	if oui != 0 && oui != 0x0000f8 || kind < 0x600 {
		return d.other(stopSNAP, kind)
	}
	d.skip(8)
	return d.etherType(kind)
}

// fddi reads FDDI's frame control and addresses (RFC 1390), behind which LLC follows.
func (d *Decoder) fddi() layer {
	if len(d.data) < 13 {
		return d.short()
	}
	if d.data[0]&0xf0 != 0x50 { // not an asynchronous LLC frame
		return d.other(stopFDDI, 0)
	}
	d.skip(13)
	return layerSNAP
}

// sll reads a Linux cooked header (LINKTYPE_LINUX_SLL).
func (d *Decoder) sll() layer {
	if len(d.data) < 16 {
		return d.short()
	}
	d.direction(uint8(binary.BigEndian.Uint16(d.data)))
	kind := binary.BigEndian.Uint16(d.data[14:])
	d.skip(16)
	return d.cooked(kind)
}

func (d *Decoder) sll2() layer {
	if len(d.data) < 20 {
		return d.short()
	}
	d.direction(d.data[10])
	kind := binary.BigEndian.Uint16(d.data)
	d.skip(20)
	return d.cooked(kind)
}

// cooked is etherType but for Linux's own numbers, which stand where an 802.3 length would.
func (d *Decoder) cooked(kind uint16) layer {
	switch {
	case kind == 4: // LINUX_SLL_P_802_2
		return layerSNAP
	case kind < 0x600:
		return d.other(stopCooked, kind)
	}
	return d.etherType(kind)
}

// direction notes the packet type of a cooked header (PACKET_HOST … PACKET_OUTGOING).
func (d *Decoder) direction(packetType uint8) {
	switch packetType {
	case 0, 1, 2:
		d.seg.Has |= event.Incoming
	case 4:
		d.seg.Has |= event.Outgoing
	}
}

// null reads BSD loopback's address family, in whichever byte order its writer had.
func (d *Decoder) null() layer {
	if len(d.data) < 4 {
		return d.short()
	}
	family := binary.LittleEndian.Uint32(d.data)
	if family > 0xffff {
		family = binary.BigEndian.Uint32(d.data)
	}
	d.skip(4)
	switch family {
	case 2:
		return layerIPv4
	case 10, 24, 28, 30: // AF_INET6 of Linux, NetBSD, FreeBSD, Darwin
		return layerIPv6
	}
	return d.other(stopFamily, uint16(family))
}

// hdlc reads Cisco's HDLC header.
func (d *Decoder) hdlc() layer {
	if len(d.data) < 4 {
		return d.short()
	}
	kind := binary.BigEndian.Uint16(d.data[2:])
	d.skip(4)
	return d.etherType(kind)
}

// infiniband reads RFC 4391's type field behind the hardware address.
func (d *Decoder) infiniband() layer {
	if len(d.data) < 44 {
		return d.short()
	}
	kind := binary.BigEndian.Uint16(d.data[40:])
	d.skip(44)
	return d.etherType(kind)
}

// pflog skips the header of the BSDs' packet filter log, whose length leaves out its padding.
func (d *Decoder) pflog() layer {
	if len(d.data) < 4 {
		return d.short()
	}
	return d.after((int(d.data[0])+3)&^3, layerIP)
}

// nflog finds the payload among the attributes of Linux's packet filter log. Their lengths
// are in the byte order of the host that captured.
func (d *Decoder) nflog() layer {
	if !d.skip(4) {
		return layerBroken
	}
	for range maxLayers {
		if len(d.data) < 4 {
			return d.short()
		}
		size, kind := binary.LittleEndian.Uint16(d.data), binary.LittleEndian.Uint16(d.data[2:])
		if kind&0x3fff > 0xff { // no such attribute: it is the other order
			size, kind = binary.BigEndian.Uint16(d.data), binary.BigEndian.Uint16(d.data[2:])
		}
		const payload = 9
		if kind == payload {
			return d.after(4, layerIP)
		}
		if size < 4 {
			return d.broken(BadLinkHeader)
		}
		if !d.skip((int(size) + 3) &^ 3) {
			return layerBroken
		}
	}
	return d.other(stopNFLog, 0)
}

// pktap reads Apple's header, which holds its own length and the link type behind it.
func (d *Decoder) pktap() layer {
	if len(d.data) < 12 {
		return d.short()
	}
	size := binary.LittleEndian.Uint32(d.data)
	inner := binary.LittleEndian.Uint32(d.data[8:])
	return d.wrapped(size, inner, 12)
}

// ppi reads a Per-Packet Information header, made the same way.
func (d *Decoder) ppi() layer {
	if len(d.data) < 8 {
		return d.short()
	}
	size := uint32(binary.LittleEndian.Uint16(d.data[2:]))
	return d.wrapped(size, binary.LittleEndian.Uint32(d.data[4:]), 8)
}

func (d *Decoder) wrapped(size, inner, least uint32) layer {
	if size < least || inner > 0xffff {
		return d.broken(BadLinkHeader)
	}
	if size > uint32(len(d.data)) {
		return d.short()
	}
	d.skip(int(size))
	next := linkLayer(uint16(inner))
	if next == layerPktap || next == layerPPI {
		return d.broken(BadLinkHeader)
	}
	return next
}

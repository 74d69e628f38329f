package decode

import "encoding/binary"

// tunnelled is etherType where a number below 1536 is no 802.3 length but nothing known.
func (d *Decoder) tunnelled(kind uint16) layer {
	if kind < 0x600 {
		return d.other(stopEtherType, kind)
	}
	return d.etherType(kind)
}

// gre reads RFC 2784 with the key and sequence of RFC 2890, and the enhanced version 1 of PPTP.
func (d *Decoder) gre() layer {
	if len(d.data) < 4 {
		return d.short()
	}
	flags := binary.BigEndian.Uint16(d.data)
	kind := binary.BigEndian.Uint16(d.data[2:])
	size := 4
	if flags&0x8000 != 0 { // checksum
		size += 4
	}
	if flags&0x2000 != 0 { // key
		size += 4
	}
	if flags&0x1000 != 0 { // sequence
		size += 4
	}
	if flags&0x0080 != 0 && flags&7 == 1 { // acknowledgment
		size += 4
	}
	if flags&0x4000 != 0 || flags&7 > 1 { // RFC 1701's source routes are long gone
		return d.other(stopGRE, 0)
	}
	if !d.skip(size) {
		return layerBroken
	}
	switch kind {
	case 0x88be:
		return d.erspan(flags&0x1000 != 0)
	case 0x22eb:
		return d.erspan3()
	case 0x6400: // MikroTik's EoIP
		return layerEthernet
	case 0x883e:
		return d.wccp()
	}
	if kind >= 0x8200 && kind <= 0x8370 && kind&15 == 0 { // Aruba's access points, by the radio's queue
		return layerWiFi
	}
	return d.tunnelled(kind)
}

// wccp skips the redirect header that version 2 puts before the packet.
func (d *Decoder) wccp() layer {
	if len(d.data) > 0 && d.data[0]>>4 != 4 && !d.skip(4) {
		return layerBroken
	}
	return layerIP
}

// nsh reads the header of a service function chain (RFC 8300 2.2).
func (d *Decoder) nsh() layer {
	if len(d.data) < 4 {
		return d.short()
	}
	size, next := int(d.data[1]&0x3f)*4, d.data[3]
	if size < 8 {
		return d.broken(BadLinkHeader)
	}
	if !d.skip(size) {
		return layerBroken
	}
	switch next {
	case 1:
		return layerIPv4
	case 2:
		return layerIPv6
	case 3:
		return layerEthernet
	case 5:
		return layerMPLS
	}
	d.tunnel = inNSH
	return d.other(stopNext, uint16(next))
}

// erspan reads mirrored Ethernet (draft-foschiano-erspan): type I has no header of its own
// and no GRE sequence number, type II has eight bytes.
func (d *Decoder) erspan(type2 bool) layer {
	d.tunnel = inERSPAN
	if type2 && !d.skip(8) {
		return layerBroken
	}
	return layerEthernet
}

func (d *Decoder) erspan3() layer {
	d.tunnel = inERSPAN
	if len(d.data) < 12 {
		return d.short()
	}
	size, kind := 12, d.data[10]>>2&0x1f
	if d.data[11]&1 != 0 { // the platform header
		size += 8
	}
	if !d.skip(size) {
		return layerBroken
	}
	switch kind {
	case 0:
		return layerEthernet
	case 2:
		return layerIP
	}
	return d.other(stopTunnel, 0)
}

// mpls skips the label stack. Nothing says what is under it, but IP shows by its version; a
// pseudowire's Ethernet starts with a control word of zeros (RFC 4448) where it has one.
func (d *Decoder) mpls() layer {
	for range maxLayers {
		if len(d.data) < 5 {
			return d.short()
		}
		bottom := d.data[2]&1 != 0
		d.skip(4)
		if !bottom {
			continue
		}
		switch d.data[0] >> 4 {
		case 4:
			return layerIPv4
		case 6:
			return layerIPv6
		case 0:
			if !d.skip(4) {
				return layerBroken
			}
			return layerEthernet
		}
		return d.other(stopMPLS, 0)
	}
	return d.broken(TooDeep)
}

// pppoe reads a session frame (RFC 2516 4).
func (d *Decoder) pppoe() layer {
	if len(d.data) < 6 {
		return d.short()
	}
	if d.data[0] != 0x11 {
		return d.broken(BadLinkHeader)
	}
	code := d.data[1]
	d.skip(6)
	if code != 0 { // discovery
		return d.other(stopEtherType, 0x8863)
	}
	return d.into(inPPPoE, layerPPP)
}

// ppp reads RFC 1661's protocol field, compressed or not, behind RFC 1662's address and
// control bytes where the link keeps them; pppd puts the direction, 0 or 1, for the address.
// Cisco's address byte, 0x0f or 0x8f, announces its own header (RFC 1547 4.3.1).
func (d *Decoder) ppp() layer {
	if len(d.data) >= 2 && d.data[0]&^0x80 == 0x0f && d.data[1] == 0 {
		return d.hdlc()
	}
	if len(d.data) >= 2 && (d.data[0] == 0xff || d.data[0] < 2) && d.data[1] == 3 {
		d.skip(2)
	}
	if len(d.data) < 2 {
		return d.short()
	}
	kind, size := uint16(d.data[0]), 1
	if kind&1 == 0 {
		kind, size = binary.BigEndian.Uint16(d.data), 2
	}
	d.skip(size)
	switch kind {
	case 0x0021:
		return layerIPv4
	case 0x0057:
		return layerIPv6
	case 0x0281, 0x0283:
		return layerMPLS
	}
	return d.other(stopPPP, kind)
}

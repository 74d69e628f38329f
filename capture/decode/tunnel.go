package decode

import "encoding/binary"

// UDP ports that announce a tunnel (IANA; 8472 is what Linux used for VXLAN before).
const (
	portVXLAN    = 4789
	portVXLANOld = 8472
	portVXLANGPE = 4790
	portGeneve   = 6081
	portGTP      = 2152
	portTeredo   = 3544
	portL2TP     = 1701
	portGRE      = 4754 // RFC 8086
	portAYIYA    = 5072
)

func (d *Decoder) udp() layer {
	if len(d.data) < 4 {
		return d.short()
	}
	port := binary.BigEndian.Uint16(d.data[2:])
	if port == portTeredo || binary.BigEndian.Uint16(d.data) == portTeredo {
		return d.teredo()
	}
	switch port {
	case portVXLAN, portVXLANOld, portVXLANGPE, portGeneve, portGTP, portL2TP, portGRE, portAYIYA:
	default:
		return layerOther
	}
	if len(d.data) < 16 { // UDP's header and eight bytes of the tunnel's
		return d.short()
	}
	d.skip(8)
	switch port {
	case portGeneve:
		return d.geneve()
	case portVXLANGPE:
		return d.vxlanGPE()
	case portGTP:
		return d.gtp()
	case portL2TP:
		return d.l2tp()
	case portGRE:
		return d.gre()
	case portAYIYA:
		return d.ayiya()
	}
	if d.data[0]&0x08 == 0 { // RFC 7348 5: the I flag must be set
		return layerOther
	}
	d.skip(8)
	return layerEthernet
}

// ayiya reads the tunnel of SixXS (draft-massar-v6ops-ayiya-02 3), whose fields name the sizes of
// the identity and the signature.
func (d *Decoder) ayiya() layer {
	identity := 1 << (d.data[0] >> 4)
	signature := int(d.data[1]>>4) * 4
	operation, next := d.data[2]&0x0f, d.data[3]
	if !d.skip(8 + identity + signature) {
		return layerBroken
	}
	switch {
	case operation != 1: // forward
		return layerOther
	case next == protoIPv4:
		return layerIPv4
	case next == protoIPv6:
		return layerIPv6
	}
	return layerOther
}

// vxlanGPE reads the variant that names what it carries (draft-ietf-nvo3-vxlan-gpe).
func (d *Decoder) vxlanGPE() layer {
	flags, next := d.data[0], d.data[3]
	if flags&0x08 == 0 {
		return layerOther
	}
	d.skip(8)
	switch {
	case flags&0x04 == 0 || next == 3:
		return layerEthernet
	case next == 1:
		return layerIPv4
	case next == 2:
		return layerIPv6
	}
	return layerOther
}

// teredo reads RFC 4380's IPv6 in UDP, behind the indications that may precede it (5.1.1).
func (d *Decoder) teredo() layer {
	if !d.skip(8) {
		return layerBroken
	}
	for range 2 {
		switch b := d.data; {
		case len(b) < 4:
			return d.short()
		case b[0] == 0 && b[1] == 1: // authentication: identifier, value, nonce, confirmation
			if !d.skip(4 + int(b[2]) + int(b[3]) + 9) {
				return layerBroken
			}
		case b[0] == 0 && b[1] == 0: // origin
			if !d.skip(8) {
				return layerBroken
			}
		}
	}
	if len(d.data) > 0 && d.data[0]>>4 != 6 {
		return layerOther
	}
	return layerIPv6
}

// gtp reads a mobile network's user data (3GPP TS 29.281 5.1), with its extension headers.
func (d *Decoder) gtp() layer {
	flags, kind := d.data[0], d.data[1]
	if flags&0xf0 != 0x30 || kind != 0xff {
		return layerOther
	}
	d.skip(8)
	if flags&7 == 0 {
		return layerIP
	}
	if len(d.data) < 4 {
		return d.short()
	}
	next := d.data[3]
	d.skip(4)
	for flags&4 != 0 && next != 0 {
		if len(d.data) < 4 {
			return d.short()
		}
		size := int(d.data[0]) * 4
		if size == 0 {
			return d.broken(BadLinkHeader)
		}
		if size > len(d.data) {
			return d.short()
		}
		next = d.data[size-1]
		d.skip(size)
	}
	return layerIP
}

// l2tp reads a data message of version 2 (RFC 2661 3.1), whose fields are all optional but two.
func (d *Decoder) l2tp() layer {
	const control, length, sequence, offset = 0x8000, 0x4000, 0x0800, 0x0200
	flags := binary.BigEndian.Uint16(d.data)
	if flags&control != 0 || flags&15 != 2 {
		return layerOther
	}
	size := 6 // flags, tunnel, session
	if flags&length != 0 {
		size += 2
	}
	if flags&sequence != 0 {
		size += 4
	}
	if flags&offset != 0 {
		if len(d.data) < size+2 {
			return d.short()
		}
		size += 2 + int(binary.BigEndian.Uint16(d.data[size:]))
	}
	return d.after(size, layerPPP)
}

// geneve reads RFC 8926 3.4.
func (d *Decoder) geneve() layer {
	if d.data[0]>>6 != 0 {
		return layerOther
	}
	size := 8 + int(d.data[0]&0x3f)*4
	kind := binary.BigEndian.Uint16(d.data[2:])
	if !d.skip(size) {
		return layerBroken
	}
	return d.tunnelled(kind)
}

// tunnelled is etherType where a number below 1536 is no 802.3 length but nothing known.
func (d *Decoder) tunnelled(kind uint16) layer {
	if kind < 0x600 {
		return layerOther
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
		return layerOther
	}
	if !d.skip(size) {
		return layerBroken
	}
	switch kind {
	case 0x88be:
		return d.erspan(flags&0x1000 != 0)
	case 0x22eb:
		return d.erspan3()
	}
	if kind&0xff0f == 0x8200 { // Aruba's access points, by the radio's queue
		return layerWiFi
	}
	return d.tunnelled(kind)
}

// erspan reads mirrored Ethernet (draft-foschiano-erspan): type I has no header of its own
// and no GRE sequence number, type II has eight bytes.
func (d *Decoder) erspan(type2 bool) layer {
	if type2 && !d.skip(8) {
		return layerBroken
	}
	return layerEthernet
}

func (d *Decoder) erspan3() layer {
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
	return layerOther
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
		return layerOther
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
		return layerOther
	}
	return layerPPP
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
	return layerOther
}

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
	portMPLS     = 6635 // RFC 7510
	portLISP     = 4341
	portTZSP     = 37008
	portCAPWAP   = 5247
)

func (d *Decoder) udp() layer {
	if len(d.data) < 4 {
		return d.short()
	}
	port := binary.BigEndian.Uint16(d.data[2:])
	if port == portTeredo || binary.BigEndian.Uint16(d.data) == portTeredo {
		return d.teredo()
	}
	if binary.BigEndian.Uint16(d.data) == portCAPWAP { // from the controller
		port = portCAPWAP
	}
	in := tunnelOf(port)
	if in == 0 {
		return d.other(stopIP, protoUDP)
	}
	if len(d.data) < 16 { // UDP's header and eight bytes of the tunnel's
		return d.short()
	}
	d.tunnel = in
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
	case portMPLS:
		return layerMPLS
	case portLISP: // RFC 9300 5.1
		return d.after(8, layerIP)
	case portTZSP:
		return d.tzsp()
	case portCAPWAP:
		return d.capwap()
	}
	if d.data[0]&0x08 == 0 { // RFC 7348 5: the I flag must be set
		return d.other(stopTunnel, 0)
	}
	d.skip(8)
	return layerEthernet
}

// tunnelOf says which tunnel a UDP port announces, if any.
func tunnelOf(port uint16) tunnel {
	switch port {
	case portVXLAN, portVXLANOld, portVXLANGPE:
		return inVXLAN
	case portGeneve:
		return inGeneve
	case portGTP:
		return inGTP
	case portL2TP:
		return inL2TP
	case portGRE:
		return inGRE
	case portAYIYA:
		return inAYIYA
	case portMPLS:
		return inMPLS
	case portLISP:
		return inLISP
	case portTZSP:
		return inTZSP
	case portCAPWAP:
		return inCAPWAP
	}
	return 0
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
		return d.other(stopTunnel, 0)
	case next == protoIPv4:
		return layerIPv4
	case next == protoIPv6:
		return layerIPv6
	}
	return d.other(stopIP, uint16(next))
}

// vxlanGPE reads the variant that names what it carries (draft-ietf-nvo3-vxlan-gpe).
func (d *Decoder) vxlanGPE() layer {
	flags, next := d.data[0], d.data[3]
	if flags&0x08 == 0 {
		return d.other(stopTunnel, 0)
	}
	d.skip(8)
	switch {
	case flags&0x04 == 0 || next == 3:
		return layerEthernet
	case next == 1:
		return layerIPv4
	case next == 2:
		return layerIPv6
	case next == 4:
		return layerNSH
	case next == 5:
		return layerMPLS
	}
	return d.other(stopNext, uint16(next))
}

// teredo reads RFC 4380's IPv6 in UDP, behind the indications that may precede it (5.1.1).
func (d *Decoder) teredo() layer {
	d.tunnel = inTeredo
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
		return d.other(stopTunnel, 0)
	}
	return layerIPv6
}

// gtp reads a mobile network's user data (3GPP TS 29.281 5.1), with its extension headers.
func (d *Decoder) gtp() layer {
	flags, kind := d.data[0], d.data[1]
	if flags&0xf0 != 0x30 || kind != 0xff {
		return d.other(stopTunnel, 0)
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
		return d.other(stopTunnel, 0)
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
		return d.other(stopTunnel, 0)
	}
	size := 8 + int(d.data[0]&0x3f)*4
	kind := binary.BigEndian.Uint16(d.data[2:])
	if !d.skip(size) {
		return layerBroken
	}
	return d.tunnelled(kind)
}

// tzsp reads what sniffers of Wi-Fi and MikroTik's routers mirror: the tagged fields, then the frame.
func (d *Decoder) tzsp() layer {
	kind, inner := d.data[1], binary.BigEndian.Uint16(d.data[2:])
	if kind > 1 { // neither received nor to be sent
		return d.other(stopTunnel, 0)
	}
	d.skip(4)
	for {
		if len(d.data) < 2 {
			return d.short()
		}
		switch tag := d.data[0]; {
		case tag == 0: // padding
			d.skip(1)
		case tag != 1:
			if !d.skip(2 + int(d.data[1])) {
				return layerBroken
			}
		default:
			d.skip(1)
			switch inner {
			case 1:
				return layerEthernet
			case 18:
				return layerWiFi
			}
			return d.other(stopNext, inner)
		}
	}
}

// capwap reads what access point and controller tell each other of the stations' frames (RFC 5415 4.3).
func (d *Decoder) capwap() layer {
	const native, fragment, keepAlive = 0x0100, 0x0080, 0x0008
	kind, size, flags := d.data[0], int(d.data[1]>>3)*4, binary.BigEndian.Uint16(d.data[2:])
	offset := binary.BigEndian.Uint16(d.data[6:]) >> 3
	switch {
	case kind == 1:
		return d.other(stopDTLS, 0)
	case kind != 0 || flags&keepAlive != 0:
		return d.other(stopTunnel, 0)
	case size < 8:
		return d.broken(BadLinkHeader)
	case flags&fragment != 0 && offset != 0:
		return d.other(stopFragment, 0)
	}
	d.cut = d.cut || flags&fragment != 0
	if !d.skip(size) {
		return layerBroken
	}
	if flags&native == 0 {
		return layerEthernet
	}
	if wireless := flags >> 9 & 0x1f; wireless != 1 {
		return d.other(stopNext, wireless)
	}
	return layerWiFi
}

package decode

import "encoding/binary"

// radiotap skips its header, whose length it names itself (https://www.radiotap.org).
func (d *Decoder) radiotap() layer {
	if len(d.data) < 8 {
		return d.short()
	}
	size := int(binary.LittleEndian.Uint16(d.data[2:]))
	if d.data[0] != 0 || size < 8 {
		return d.broken(BadLinkHeader)
	}
	pad := radiotapPads(d.data[:min(size, len(d.data))])
	if !d.skip(size) {
		return layerBroken
	}
	return d.wifiFrame(pad)
}

// radiotapPads reports whether the driver padded the 802.11 header to four bytes: flag 0x20 of
// the flags field, which follows the eight-byte aligned TSFT where that is present.
func radiotapPads(b []byte) bool {
	present := binary.LittleEndian.Uint32(b[4:])
	at := 8
	for word := present; word&(1<<31) != 0 && at+4 <= len(b); at += 4 {
		word = binary.LittleEndian.Uint32(b[at:])
	}
	if present&1 != 0 {
		at = (at+7)&^7 + 8
	}
	return present&2 != 0 && at < len(b) && b[at]&0x20 != 0
}

// prism skips the fixed header of old drivers, or the AVS header that shares its link type.
func (d *Decoder) prism() layer {
	if len(d.data) < 8 {
		return d.short()
	}
	size := 144
	if binary.BigEndian.Uint32(d.data)&0xfffff000 == 0x80211000 {
		size = int(min(binary.BigEndian.Uint32(d.data[4:]), 1<<16))
	}
	if !d.skip(size) {
		return layerBroken
	}
	return layerWiFi
}

func (d *Decoder) wifi() layer { return d.wifiFrame(false) }

// wifiFrame reads an 802.11 data frame's header (IEEE 802.11 9.3.2.1). Encrypted frames are not
// looked into; of an aggregate inside one frame (A-MSDU) the first part is.
func (d *Decoder) wifiFrame(padded bool) layer {
	if len(d.data) < 2 {
		return d.short()
	}
	kind, flags := d.data[0], d.data[1]
	if kind&0x0f != 0x08 && flags&0x0f == 0x08 && d.tunnel == inCAPWAP {
		kind, flags = flags, kind // Cisco's access points swap the two
	}
	if kind&0x0f != 0x08 { // version 0, type data
		return d.other(stopWiFi, 0)
	}
	if kind&0x40 != 0 { // carries no data
		return d.other(stopWiFi, 0)
	}
	if flags&0x40 != 0 {
		return d.other(stopProtected, 0)
	}
	size := 24
	if flags&3 == 3 { // between access points: a fourth address
		size += 6
	}
	if len(d.data) < size {
		return d.short()
	}
	if d.data[22]&0x0f != 0 { // a later fragment
		return d.other(stopFragment, 0)
	}
	aggregate := false
	if kind&0x80 != 0 { // QoS
		if len(d.data) < size+2 {
			return d.short()
		}
		aggregate = d.data[size]&0x80 != 0
		size += 2
		if flags&0x80 != 0 { // HT control
			size += 4
		}
	}
	if padded {
		size = (size + 3) &^ 3
	}
	if !d.skip(size) {
		return layerBroken
	}
	if aggregate {
		return d.aggregate()
	}
	return layerSNAP
}

// aggregate reads the first subframe of an A-MSDU (IEEE 802.11 9.3.2.2) and notes that there are more.
func (d *Decoder) aggregate() layer {
	const header = 14 // destination, source, length
	if len(d.data) < header {
		return d.short()
	}
	size := int(binary.BigEndian.Uint16(d.data[12:]))
	d.skip(header)
	if len(d.data) > (size+3)&^3+header { // less is padding, or a check sum
		d.other(stopAggregate, 0)
	}
	return d.lengthOf(size)
}

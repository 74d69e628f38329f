package decode

import (
	"encoding/binary"
	"net/netip"

	"github.com/closecap/closecap/analyze/event"
)

// plain reads the headers before TCP of what nearly every packet is: an Ethernet frame with an IPv4 packet that has no
// options and is whole. It leaves the Decoder as the walk does, for 2.5 % less of all the instructions that it takes to
// analyze a capture; false, with nothing done, where the frame is anything else.
func (d *Decoder) plain(frame []byte) bool {
	const link, header = 14, 20
	if len(frame) < link+header {
		return false
	}
	b := frame[link:]
	total := int(binary.BigEndian.Uint16(b[2:]))
	if binary.BigEndian.Uint16(frame[12:]) != etherIPv4 || b[0] != 4<<4|header/4 || b[9] != protoTCP ||
		binary.BigEndian.Uint16(b[6:])&0x3fff != 0 || total < header {
		return false
	}
	b = b[:min(len(b), total)] // what follows is an Ethernet trailer
	s, has := d.seg, event.HasIPID
	s.Src = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:16])), 0)
	s.Dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[16:20])), 0)
	s.IPID, s.TTL = binary.BigEndian.Uint16(b[4:]), b[8]
	d.addresses = binary.LittleEndian.Uint64(b[12:])
	if !d.SkipChecksums && !headerSumOK(b, header, d.addresses) {
		has |= event.BadIPChecksum
	}
	s.Has |= has
	d.data, d.wire = b[header:], total-header
	return true
}

package decode

import (
	"encoding/binary"
	"net/netip"

	"github.com/closecap/closecap/analyze/event"
)

// plain reads what most packets of most captures are, TCP in IPv4 without options in Ethernet,
// as layers does, in half the time: it knows where everything stands. It reports false, and has
// not touched s, when p is something else or has anything wrong with it.
func (d *Decoder) plain(p *event.Packet, s *event.Segment) bool {
	const ip, tcp = 14, 14 + 20
	if p.LinkType != linkEthernet || len(p.Data) < tcp+20 {
		return false
	}
	h := (*[tcp + 20]byte)(p.Data)
	total := int(binary.BigEndian.Uint16(h[ip+2:]))
	header := int(h[tcp+12]>>4) * 4
	b := p.Data[tcp:min(len(p.Data), max(ip+total, tcp))] // what follows is an Ethernet trailer
	if binary.BigEndian.Uint16(h[12:]) != etherIPv4 || h[ip] != 0x45 || h[ip+9] != protoTCP ||
		binary.BigEndian.Uint16(h[ip+6:])&0x3fff != 0 || header < 20 || header > len(b) {
		return false
	}
	s.Frame, s.Time, s.Interface, s.Has = p.Frame, p.Time, p.Interface, p.Direction|event.HasIPID
	s.Src = netip.AddrPortFrom(netip.AddrFrom4([4]byte(h[ip+12:])), 0)
	s.Dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte(h[ip+16:])), 0)
	s.IPID, s.TTL, s.Options = binary.BigEndian.Uint16(h[ip+4:]), h[ip+8], event.Options{}
	d.begin(s, b, total-20)
	d.addresses = binary.LittleEndian.Uint64(h[ip+12:])
	return d.tcp() == TCP
}

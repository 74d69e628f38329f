package decode

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// answer is what the reference says of a packet.
type answer uint8

const (
	refuses answer = iota
	accepts
	perhaps // it reads a segment, behind layers whose fields it checks less than the walk does
	unsure  // it stops at something that it knows less of than the walk does
)

// reference reads a packet with gopacket/layers, under the rules of the walk: IP versions must
// fit, and the segment is the first one, of complete datagrams.
func reference(link uint16, b []byte, s *event.Segment) answer {
	p := gopacket.NewPacket(b, layers.LinkType(link), gopacket.NoCopy)
	limited := false
	for _, l := range p.Layers() {
		switch l := l.(type) {
		case *layers.IPv4:
			if l.Version != 4 {
				return behind(limited, refuses)
			}
			referenceIP4(l, s)
			limited = limited || l.Protocol == protoEthernet
		case *layers.IPv6:
			if l.Version != 6 {
				return behind(limited, refuses)
			}
			referenceIP6(l, s)
		case *layers.TCP:
			a := wholeTCP(p, l)
			if a == accepts {
				referenceTCP(l, s)
			}
			return behind(limited, a)
		case *gopacket.Fragment, *layers.IPv6Fragment:
			// The walk goes on inside a tunnel's first fragment, and joins those of TCP.
			return unsure
		case *layers.Dot11, *layers.RadioTap, *layers.LLC, *layers.GTPv1U, *layers.UDP, *layers.GRE,
			*layers.MPLS, *layers.IPSecAH, *layers.PPP, *layers.PPPoE, *layers.IPv6Routing:
			limited = true
		}
	}
	if e := p.ErrorLayer(); e == nil && len(p.Layers()) > 0 {
		last := p.Layers()[len(p.Layers())-1]
		limited = limited || len(last.LayerPayload()) > 0 // an EtherType that it does not know
	}
	if limited || p.ErrorLayer() != nil && knownLess(p.ErrorLayer().Error().Error()) {
		return unsure
	}
	return refuses
}

// behind weakens an answer that depends on layers which the two read differently.
func behind(limited bool, a answer) answer {
	switch {
	case limited && a == accepts:
		return perhaps
	case limited:
		return unsure
	}
	return a
}

// wholeTCP tells a broken header, which both must refuse, from broken options.
func wholeTCP(p gopacket.Packet, l *layers.TCP) answer {
	e := p.ErrorLayer()
	if len(l.Contents) < 20 {
		return refuses
	}
	if e == nil {
		return accepts
	}
	switch text := e.Error().Error(); {
	case strings.Contains(text, "TCP option"):
		return unsure
	case strings.Contains(text, "TCP"):
		return refuses
	}
	return accepts
}

// knownLess names the reference's own limits.
func knownLess(text string) bool {
	for _, limit := range []string{
		"ip4 option", "IP option", // the walk skips IP options without reading them
		"IPv6", "ip6", "Jumbo", "jumbo", "HopByHop", // it asks for a jumbogram option with length 0
		"Unable to decode", "Unsupported", // an EtherType or protocol that only the walk knows
		"Invalid loopback",
		"Invalid (too small) IP length", // length 0 with 65,536 bytes or more wraps
		"runtime error",                 // it panicked
	} {
		if strings.Contains(text, limit) {
			return true
		}
	}
	return false
}

func referenceIP4(l *layers.IPv4, s *event.Segment) {
	src, _ := netip.AddrFromSlice(l.SrcIP)
	dst, _ := netip.AddrFromSlice(l.DstIP)
	s.Src, s.Dst = netip.AddrPortFrom(src, 0), netip.AddrPortFrom(dst, 0)
	s.IPID, s.TTL = l.Id, l.TTL
	s.Has |= event.HasIPID
	s.Len = uint32(l.Length) - uint32(l.IHL)*4
}

func referenceIP6(l *layers.IPv6, s *event.Segment) {
	src, _ := netip.AddrFromSlice(l.SrcIP)
	dst, _ := netip.AddrFromSlice(l.DstIP)
	s.Src, s.Dst = netip.AddrPortFrom(src, 0), netip.AddrPortFrom(dst, 0)
	s.IPID, s.TTL = 0, l.HopLimit
	s.Has &^= event.HasIPID
	s.Len = uint32(len(l.Payload))
}

func referenceTCP(l *layers.TCP, s *event.Segment) {
	s.Src = netip.AddrPortFrom(s.Src.Addr(), uint16(l.SrcPort))
	s.Dst = netip.AddrPortFrom(s.Dst.Addr(), uint16(l.DstPort))
	s.Seq, s.Ack = seqnum.Value(l.Seq), seqnum.Value(l.Ack)
	s.Window = l.Window
	s.Flags = event.Flags(l.Contents[13])
	s.Len = uint32(len(l.Payload))
	for _, o := range l.Options {
		referenceOption(o, s)
	}
}

func referenceOption(o layers.TCPOption, s *event.Segment) {
	v := o.OptionData
	switch {
	case o.OptionType == layers.TCPOptionKindMSS && len(v) == 2:
		s.Options.MSS, s.Has = binary.BigEndian.Uint16(v), s.Has|event.HasMSS
	case o.OptionType == layers.TCPOptionKindWindowScale && len(v) == 1:
		s.Options.WScale, s.Has = v[0], s.Has|event.HasWScale
	case o.OptionType == layers.TCPOptionKindSACKPermitted && len(v) == 0:
		s.Has |= event.HasSACKPermitted
	case o.OptionType == layers.TCPOptionKindSACK && len(v) > 0 && len(v)%8 == 0:
		s.Options.SACKLeft = seqnum.Value(binary.BigEndian.Uint32(v))
		s.Options.SACKRight = seqnum.Value(binary.BigEndian.Uint32(v[4:]))
		if len(v) >= 16 {
			left, right := seqnum.Value(binary.BigEndian.Uint32(v[8:])), seqnum.Value(binary.BigEndian.Uint32(v[12:]))
			s.Options.SACKTwice = int32(s.Options.SACKLeft-left) >= 0 && int32(right-s.Options.SACKRight) >= 0
		}
		s.Has |= event.HasSACK
	case o.OptionType == layers.TCPOptionKindTimestamps && len(v) == 8:
		s.Options.TSVal, s.Options.TSEcr = binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
		s.Options.ScaleFirst = s.Has&event.HasWScale != 0
		s.Has |= event.HasTimestamps
	}
}

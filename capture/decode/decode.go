// Package decode turns a captured packet into an event.Segment: it walks the link layer,
// VLANs, tunnels and IP down to the one TCP header that the packet carries, and reads it.
//
// It is the only room that knows link types and IP. It follows no connection, keeps no
// payload, and never refuses a segment for its checksums: a capture on the sending host sees
// them before the network card fills them in. TCP quoted in an ICMP error is no segment.
//
// Every length comes from the IP header, so that neither a snap length nor an Ethernet trailer
// changes it; only where that header says 0 (segmentation offload) does the frame's length count.
//
// All of it is one hand-written walk instead of gopacket/layers: that allocates, takes some 500 ns
// a packet, and gives up on packets which a snap length cut. gopacket is the reference that the
// tests and the fuzzer hold it against.
package decode

import "github.com/closecap/closecap/analyze/event"

// Content says what a packet holds.
type Content uint8

// What a packet may hold.
const (
	NotTCP   Content = iota // something else, or a fragment whose datagram is not complete yet
	TCP                     // the segment is filled in
	Unparsed                // it could not be read down to the end of TCP's fixed header
)

func (c Content) String() string { return [...]string{"not tcp", "tcp", "unparsed"}[c] }

// A Decoder holds what outlasts one packet: the fragments that wait for their datagram.
// It is for one goroutine.
type Decoder struct {
	// SkipChecksums leaves checksums unverified: BadChecksum and BadIPChecksum are then never set.
	SkipChecksums bool

	data      []byte // captured bytes from the layer at hand on
	wire      int    // the same on the wire; the IP header's word once there was one
	seg       *event.Segment
	cut       bool   // the data ends with an IP fragment that others continue
	whole     bool   // the data is the header of a datagram put together from fragments
	snapped   bool   // and the snap length cut one of those
	continued bool   // a tunnel's packet goes on in further fragments
	noSum     bool   // the checksum's pseudo header is not in this packet
	addresses uint64 // sum of both addresses, for the checksum
	reason    Reason
	tunnel    tunnel // the innermost one
	found     Other  // where the walk ended without TCP

	fragments fragments
}

// New returns a Decoder that verifies checksums.
func New() *Decoder { return &Decoder{} }

// Why names the reason of the last Unparsed.
func (d *Decoder) Why() Reason { return d.reason }

// Other names what the last NotTCP was, and what the last TCP left unread beside its segment.
func (d *Decoder) Other() Other { return d.found }

// Segment reads p into s. It keeps nothing of p.Data; s is undefined unless it returns TCP.
//
// A fragmented segment is reported with the packet that completes it, as Wireshark does.
// See Abandoned for those that stay incomplete.
func (d *Decoder) Segment(p *event.Packet, s *event.Segment) Content {
	d.begin(p, s)
	link := linkLayer(p.LinkType)
	if link == layerEthernet && d.plain(p.Data) {
		return d.tcp()
	}
	return d.walk(link)
}

func (d *Decoder) begin(p *event.Packet, s *event.Segment) {
	*s = event.Segment{Frame: p.Frame, Time: p.Time, Interface: p.Interface, Has: p.Direction}
	d.seg, d.data, d.wire = s, p.Data, max(p.WireLen, len(p.Data))
	d.cut, d.whole, d.noSum, d.reason = false, false, false, 0
	d.tunnel, d.found, d.continued = 0, Other{}, false
}

// Payload returns what was captured of the payload of the last TCP: a part of its packet's Data, and less
// than the segment's Len where the capture or a fragment cut it.
func (d *Decoder) Payload() []byte {
	b := d.data[:min(len(d.data), d.wire)]
	if header := int(b[12]>>4) * 4; header < len(b) {
		return b[header:]
	}
	return nil
}

// maxLayers bounds the walk: a packet may nest tunnels and extension headers, not endlessly.
const maxLayers = 32

func (d *Decoder) walk(next layer) Content {
	for range maxLayers {
		switch next {
		case layerEthernet:
			next = d.ethernet()
		case layerIPv4:
			next = d.ipv4()
		case layerTCP:
			return d.tcp()
		case layerOther:
			return NotTCP
		case layerBroken:
			return Unparsed
		default:
			next = d.unusual(next)
		}
	}
	d.broken(TooDeep)
	return Unparsed
}

// layer is what the bytes at hand are.
type layer uint8

const (
	layerOther layer = iota
	layerBroken
	layerEthernet
	layerIPv4
	layerIPv6
	layerIP // either, by its version
	layerTCP
	layerUDP
	layerGRE
	layerAH
	layerEtherIP
	layerVLAN
	layerVNTag
	layerTag4
	layerTag6
	layerNSH
	layerBackbone
	layerFabricPath
	layerMPLS
	layerPPP
	layerPPPoE
	layerSNAP
	layerUnknownLink // after it come those of linktype.go
)

func (d *Decoder) unusual(l layer) layer {
	switch l {
	case layerIPv6:
		return d.ipv6()
	case layerIP:
		return d.ip()
	case layerUDP:
		return d.udp()
	case layerGRE:
		return d.gre()
	case layerAH:
		return d.ah()
	case layerEtherIP: // RFC 3378
		return d.after(2, d.into(inEtherIP, layerEthernet))
	case layerVLAN:
		return d.tag(2)
	case layerVNTag, layerTag4: // a VN-Tag is that of a Cisco switch and its extenders
		return d.tag(4)
	case layerTag6:
		return d.tag(6)
	case layerNSH:
		return d.nsh()
	case layerBackbone:
		return d.after(4, layerEthernet)
	case layerFabricPath:
		return d.after(2, layerEthernet)
	case layerMPLS:
		return d.mpls()
	case layerPPP:
		return d.ppp()
	case layerPPPoE:
		return d.pppoe()
	case layerSNAP:
		return d.snap()
	}
	return d.link(l)
}

// skip moves past n bytes; false, with the reason noted, when the packet ends before.
func (d *Decoder) skip(n int) bool {
	if n > len(d.data) {
		d.short()
		return false
	}
	d.data, d.wire = d.data[n:], d.wire-n
	return true
}

// after skips a header of fixed size that says nothing about what follows.
func (d *Decoder) after(n int, next layer) layer {
	if !d.skip(n) {
		return layerBroken
	}
	return next
}

// short notes why bytes are missing: the capture cut them off, or they never were.
func (d *Decoder) short() layer {
	if d.cut || len(d.data) < d.wire {
		return d.broken(CutOff)
	}
	return d.broken(TooShort)
}

func (d *Decoder) broken(r Reason) layer {
	d.reason = r
	return layerBroken
}

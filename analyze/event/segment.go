package event

import (
	"net/netip"

	"github.com/closecap/closecap/analyze/seqnum"
)

// Segment is one TCP segment as captured. It is a value of fixed size: nothing in it
// refers to the packet's bytes, so a decoder may reuse its buffer at once.
type Segment struct {
	Frame     uint64         // 1-based position in the capture, as Wireshark counts
	Time      Time           // when the capture point saw it
	Src, Dst  netip.AddrPort // IPv4 is never written as IPv4-mapped IPv6
	Seq, Ack  seqnum.Value   // as in the header, absolute; Ack is meaningless without ACK
	Len       uint32         // payload bytes on the wire, from the IP length
	Window    uint16         // as in the header, unscaled
	IPID      uint16         // IPv4 identification; 0 on IPv6
	Flags     Flags
	TTL       uint8 // TTL or hop limit
	Has       Has
	Interface uint32  // index of the capture interface in the file, 0-based
	Options   Options // valid as far as Has says
}

// End returns the sequence number after the segment: SYN and FIN take one number each.
func (s *Segment) End() seqnum.Value {
	n := s.Len
	if s.Flags&SYN != 0 {
		n++
	}
	if s.Flags&FIN != 0 {
		n++
	}
	return s.Seq.Add(n)
}

// Has says which optional facts of a segment are present.
type Has uint16

// What a segment may carry, and what the capture may have taken from it.
const (
	HasMSS Has = 1 << iota
	HasWScale
	HasSACKPermitted
	HasSACK
	HasTimestamps
	HasFastOpen
	HasIPID          // IPv4
	Truncated        // the capture holds less than the packet; Len is still the wire's
	OptionsTruncated // the header's end was cut off by the snap length
	BadChecksum      // the TCP checksum was verifiable and wrong (offloading makes this common)
	Fragmented       // first IP fragment: Len is what the fragment carries
	Outgoing         // the link layer or the file says the packet left the capturing host
	Incoming         // the link layer or the file says the packet reached the capturing host
	HasMultipath     // an MPTCP option
	DataFin          // which ends its sender's stream (RFC 8684 3.3.3)
	BadIPChecksum    // the IPv4 header's checksum is wrong
)

// Speech is what the bytes of a payload tell of what is said, by themselves; only where that was asked for, and all of
// them were captured.
type Speech uint8

// What they tell.
const (
	NoText  Speech = 1 << iota // it does not end as text does
	NoStart                    // no known protocol begins with it
)

// Options are the TCP options that matter to a connection's end.
type Options struct {
	MSS         uint16
	WScale      uint8
	Speech      Speech // no option: what the payload's bytes tell
	TSVal       uint32 // timestamp value
	TSEcr       uint32 // timestamp echo reply
	SACKLeft    seqnum.Value
	SACKRight   seqnum.Value // first SACK block only: RFC 2883 puts a duplicate's range there
	SACKTwice   bool         // the second SACK block holds the first: that came twice, above what is acknowledged (RFC 2883)
	FastOpenLen uint8        // length of the Fast Open cookie; 0 with HasFastOpen is a request
	ScaleFirst  bool         // the window scale stands before the timestamps: not as Linux writes them
	TLSAlert    bool         // no option: the payload is TLS alerts and nothing else (RFC 5246 7.2)
}

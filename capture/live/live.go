// Package live captures TCP segments from an interface while something happens on it, and can
// say for certain that what has happened so far is captured (Barrier).
//
// It hands on raw packets and understands none of them; that is capture/decode's. Two bodies do
// the reading behind one type: libpcap through gopacket where cgo is on, an AF_PACKET ring where
// it is off or where the build tag nopcap asks for it. Only Linux captures.
//
// Instead of pcapgo's EthernetHandle the second body is its own: that handle starts to receive
// before a filter can be set, sees every loopback packet twice, and its reader cannot be woken.
package live

import "github.com/closecap/closecap/analyze/event"

// Options say what to capture. The zero value captures all TCP of the loopback.
type Options struct {
	Interface string   // "" means the loopback
	Ports     []uint16 // TCP ports, either side; empty means all TCP

	// Filter is what is captured, in pcap-filter(7)'s language, whether TCP or not; with Ports only of
	// those. CompileFilter says whether it is a filter. It needs libpcap. Narrow ends it.
	Filter string

	// SnapLen is how many bytes of a packet are kept; 0 means all. The kernel's buffer has slots
	// of this size, so a short one lets it take longer bursts: on the loopback the default
	// Buffer holds a hundred packets of any size, or five thousand of 1,500 bytes.
	SnapLen int
	Buffer  int // bytes that the kernel buffers; 0 means 16 MiB
}

// What a zero Option means.
const (
	defaultSnapLen = 65535 + 40 + 14 // the loopback's largest packet: IPv6's payload limit and two headers
	defaultBuffer  = 16 << 20
)

func (o *Options) snapLen() int {
	if o.SnapLen > 0 {
		return o.SnapLen
	}
	return defaultSnapLen
}

func (o *Options) buffer() int {
	if o.Buffer > 0 {
		return o.Buffer
	}
	return defaultBuffer
}

// Stats count what a capture saw and missed.
type Stats struct {
	Received         uint64 // packets that the sink got
	Dropped          uint64 // lost because the kernel's buffer was full
	InterfaceDropped uint64 // lost by the interface before the kernel saw them
}

func (s *Stats) add(t Stats) {
	s.Received += t.Received
	s.Dropped += t.Dropped
	s.InterfaceDropped += t.InterfaceDropped
}

// sink is who gets the packets.
type sink = func(*event.Packet)

// Package live captures TCP segments from an interface while something happens on it.
//
// It hands on raw packets and understands none of them; that is capture/decode's. Two bodies do
// the reading behind one type: libpcap through gopacket where cgo is on, an AF_PACKET socket
// where it is off or where the build tag nopcap asks for it.
package live

import (
	"closecap/analyze/event"
)

// Options say what to capture. The zero value captures all TCP of the loopback.
type Options struct {
	Interface string   // "" means the loopback
	Ports     []uint16 // TCP ports, either side; empty means all TCP
	Filter    string   // extra BPF expression that must hold too; libpcap only
	SnapLen   int      // bytes kept of a packet; 0 means all
	Buffer    int      // bytes that the kernel buffers; 0 means a size that takes bursts
}

// Stats count what a capture saw and missed.
type Stats struct {
	Received         uint64 // packets that the sink got
	Dropped          uint64 // lost because the kernel's buffer was full
	InterfaceDropped uint64 // lost by the interface before the kernel saw them
}

// sink is who gets the packets.
type sink = func(*event.Packet)

package live

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Narrow lets the kernel keep, from now on, only TCP from or to one of these endpoints; one without
// address stands for its port at every address. With very many it keeps more than that: all of their
// ports, or all TCP. What both the filter before and this one keep is never lost: the kernel swaps
// one for the other between two packets.
//
// Instead of libpcap's pcap_setfilter: that takes everything out of the socket and lets nothing in
// while it changes filters (pcap-linux.c, set_kernel_filter).
func (c *Capture) Narrow(only []netip.AddrPort) error {
	var err error
	for _, detail := range []func([]netip.AddrPort) ([]endpoint, bool){exactly, byPort, allTCP} {
		keep, fits := detail(only)
		if !fits {
			continue
		}
		var program []unix.SockFilter
		if program, err = narrowProgram(keep, c.snapLen, c.marker); err == nil {
			err = c.handle.attach(program)
		}
		if !errors.Is(err, unix.ENOMEM) { // net.core.optmem_max
			break
		}
	}
	if err != nil {
		return fmt.Errorf("narrow capture on %s: %w", c.name, err)
	}
	return nil
}

// attach replaces the filter of a packet socket.
func attach(fd int, program []unix.SockFilter) error {
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return os.NewSyscallError("setsockopt SO_ATTACH_FILTER",
		unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &filter))
}

// endpoint is one that the filter looks for. It looks at the last four bytes of an address.
type endpoint struct {
	port     uint16 // 0 is any
	family   int    // AF_INET or AF_INET6, AF_UNSPEC is both
	last     uint32
	withAddr bool
}

// How many endpoints, and how many ports, a filter asks for: the kernel asks for each of them of every
// packet that is not kept, and takes no program beyond 4,096 instructions (BPF_MAXINSNS).
const (
	maxEndpoints = 64
	maxNarrow    = 400
)

func exactly(only []netip.AddrPort) (keep []endpoint, fits bool) {
	if len(only) > maxEndpoints {
		return nil, false
	}
	for _, a := range only {
		e := endpoint{port: a.Port()}
		if addr := a.Addr().Unmap(); addr.IsValid() && !addr.IsUnspecified() {
			b := addr.AsSlice()
			e.family, e.withAddr = unix.AF_INET, true
			if addr.Is6() {
				e.family = unix.AF_INET6
			}
			for _, octet := range b[len(b)-4:] {
				e.last = e.last<<8 | uint32(octet)
			}
		}
		keep = append(keep, e)
	}
	return keep, true
}

func byPort(only []netip.AddrPort) (keep []endpoint, fits bool) {
	seen := map[uint16]bool{}
	for _, a := range only {
		if !seen[a.Port()] {
			seen[a.Port()] = true
			keep = append(keep, endpoint{port: a.Port()})
		}
	}
	return keep, len(keep) <= maxNarrow
}

func allTCP([]netip.AddrPort) (keep []endpoint, fits bool) { return []endpoint{{}}, true }

// Offsets from the network header, wherever the link layer puts it (SKF_NET_OFF, linux/filter.h).
const (
	network   = 1<<32 - 0x100000
	netFrag   = network + 6
	netProto4 = network + 9
	netSrc4   = network + 12
	netDst4   = network + 16
	netProto6 = network + 6
	netSrc6   = network + 8 + 12  // the last four bytes
	netDst6   = network + 24 + 12 // the last four bytes
)

// narrowProgram assembles the filter of Narrow. Its parts follow each other; one whose end is reached
// has not kept the packet.
func narrowProgram(keep []endpoint, snapLen int, m *marker) ([]unix.SockFilter, error) {
	accept, drop := bpf.RetConstant{Val: uint32(snapLen)}, bpf.RetConstant{}
	ipv4 := []bpf.Instruction{
		bpf.LoadAbsolute{Off: netFrag, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: 0x1fff, SkipTrue: 1},
		accept, // a later fragment has no ports
		bpf.LoadMemShift{Off: network},
	}
	ipv4 = append(matches(ipv4, keep, unix.AF_INET, [2]uint32{netSrc4, netDst4}, accept), drop)
	ipv6 := []bpf.Instruction{
		bpf.LoadAbsolute{Off: netProto6, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_TCP, SkipTrue: 1},
		drop,
		bpf.LoadConstant{Dst: bpf.RegX, Val: 40},
	}
	ipv6 = append(matches(ipv6, keep, unix.AF_INET6, [2]uint32{netSrc6, netDst6}, accept), drop)
	udp := append(ownMarker(m, accept), drop)

	var p []bpf.Instruction
	if m != nil {
		// Every packet of the loopback passes twice; the second time is the reception.
		p = append(p, bpf.LoadExtension{Num: bpf.ExtType},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 1}, drop)
	}
	p = append(p, bpf.LoadExtension{Num: bpf.ExtProto},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.ETH_P_IPV6, SkipTrue: 1},
		bpf.Jump{Skip: uint32(6 + len(udp) + len(ipv4))},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IP, SkipTrue: 1}, drop,
		bpf.LoadAbsolute{Off: netProto4, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_UDP, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_TCP, SkipTrue: uint8(1 + len(udp))},
		drop)
	p = append(p, udp...)
	p = append(p, ipv4...)
	return sockFilter(append(p, ipv6...))
}

// matches adds, for each endpoint of the family and each side of the packet, the question whether it
// is there. X is the length of the network header.
func matches(p []bpf.Instruction, keep []endpoint, family int, addr [2]uint32, accept bpf.Instruction) []bpf.Instruction {
	for side, off := range addr {
		p = append(p, bpf.LoadIndirect{Off: network + 2*uint32(side), Size: 2})
		for _, e := range keep {
			switch {
			case e.port == 0:
				p = append(p, accept)
			case !e.withAddr:
				p = append(p, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(e.port), SkipTrue: 1}, accept)
			case e.family == family:
				p = append(p, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(e.port), SkipTrue: 4},
					bpf.LoadAbsolute{Off: off, Size: 4},
					bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: e.last, SkipTrue: 1}, accept,
					bpf.LoadIndirect{Off: network + 2*uint32(side), Size: 2})
			}
		}
	}
	return p
}

// ownMarker keeps what m sends to itself.
func ownMarker(m *marker, accept bpf.Instruction) []bpf.Instruction {
	if m == nil {
		return nil
	}
	b := m.addr.Addr().As4()
	self := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	port := uint32(m.addr.Port())
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: netSrc4, Size: 4}, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: self, SkipTrue: 8},
		bpf.LoadAbsolute{Off: netDst4, Size: 4}, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: self, SkipTrue: 6},
		bpf.LoadMemShift{Off: network},
		bpf.LoadIndirect{Off: network, Size: 2}, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: port, SkipTrue: 3},
		bpf.LoadIndirect{Off: network + 2, Size: 2}, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: port, SkipTrue: 1},
		accept,
	}
}

func sockFilter(program []bpf.Instruction) ([]unix.SockFilter, error) {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return nil, fmt.Errorf("assemble filter: %w", err)
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return filter, nil
}

//go:build linux && (!cgo || nopcap)

package live

import (
	"fmt"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Where the fields stand in an Ethernet frame.
const (
	etherType   = 12
	ip          = 14
	ipv4Frag    = ip + 6
	ipv4Proto   = ip + 9
	ipv4Src     = ip + 12
	ipv4Dst     = ip + 16
	ipv6Next    = ip + 6
	ipv6Header  = 40
	etherIPv4   = 0x0800
	etherIPv6   = 0x86dd
	packetIsOut = unix.PACKET_OUTGOING
)

// maxPorts is how many ports fit below a jump's limit of 255.
const maxPorts = 50

// captureProgram assembles the filter that the kernel runs on every packet: TCP of the ports,
// and markers. It says what filterExpr says to libpcap.
func captureProgram(opt Options, m *marker) ([]unix.SockFilter, error) {
	if len(opt.Ports) > maxPorts {
		return nil, fmt.Errorf("assemble filter: %d ports, at most %d", len(opt.Ports), maxPorts)
	}
	if opt.Filter != "" {
		_, err := CompileFilter(opt.Filter, linkTypeEthernet)
		return nil, err
	}
	var a assembler
	if m != nil {
		// Every packet of the loopback passes twice; the second time is the reception.
		a.add(bpf.LoadExtension{Num: bpf.ExtType})
		a.jump(bpf.JumpEqual, packetIsOut, "drop", "")
	}
	a.add(bpf.LoadAbsolute{Off: etherType, Size: 2})
	a.jump(bpf.JumpEqual, etherIPv6, "ipv6", "")
	a.jump(bpf.JumpNotEqual, etherIPv4, "drop", "")
	a.add(bpf.LoadAbsolute{Off: ipv4Proto, Size: 1})
	if m != nil {
		a.jump(bpf.JumpEqual, unix.IPPROTO_UDP, "udp", "")
	}
	a.jump(bpf.JumpNotEqual, unix.IPPROTO_TCP, "drop", "")
	a.ports(opt.Ports, true)

	a.label("ipv6")
	a.add(bpf.LoadAbsolute{Off: ipv6Next, Size: 1})
	a.jump(bpf.JumpNotEqual, unix.IPPROTO_TCP, "drop", "")
	a.ports(opt.Ports, false)

	if m != nil {
		a.label("udp")
		a.marker(m)
	}
	a.label("keep")
	a.add(bpf.RetConstant{Val: uint32(opt.snapLen())})
	a.label("drop")
	a.add(bpf.RetConstant{Val: 0})
	return a.assemble()
}

// assembler is a BPF program with named jump targets, all of them further down.
type assembler struct {
	program []bpf.Instruction
	yes, no map[int]string // of the jump at an index; "" goes on
	labels  map[string]int
}

func (a *assembler) add(i bpf.Instruction) { a.program = append(a.program, i) }

func (a *assembler) label(name string) {
	if a.labels == nil {
		a.labels = map[string]int{}
	}
	a.labels[name] = len(a.program)
}

func (a *assembler) jump(cond bpf.JumpTest, val uint32, yes, no string) {
	if a.yes == nil {
		a.yes, a.no = map[int]string{}, map[int]string{}
	}
	a.yes[len(a.program)], a.no[len(a.program)] = yes, no
	a.add(bpf.JumpIf{Cond: cond, Val: val})
}

// ports keeps a TCP packet that has one of the ports on either side, any packet when there are
// none to choose from. Later fragments, which carry no ports, go unless all are kept.
func (a *assembler) ports(ports []uint16, ipv4 bool) {
	if len(ports) == 0 {
		a.add(bpf.LoadConstant{Val: 0})
		a.jump(bpf.JumpEqual, 0, "keep", "")
		return
	}
	if ipv4 {
		a.add(bpf.LoadAbsolute{Off: ipv4Frag, Size: 2})
		a.jump(bpf.JumpBitsSet, 0x1fff, "drop", "")
		a.add(bpf.LoadMemShift{Off: ip})
	} else {
		a.add(bpf.LoadConstant{Dst: bpf.RegX, Val: ipv6Header})
	}
	for _, side := range []uint32{ip, ip + 2} {
		a.add(bpf.LoadIndirect{Off: side, Size: 2})
		for _, p := range ports {
			a.jump(bpf.JumpEqual, uint32(p), "keep", "")
		}
	}
	a.jump(bpf.JumpGreaterOrEqual, 0, "drop", "")
}

// marker keeps what m sends to itself.
func (a *assembler) marker(m *marker) {
	self := m.addr.Addr().As4()
	addr := uint32(self[0])<<24 | uint32(self[1])<<16 | uint32(self[2])<<8 | uint32(self[3])
	for _, off := range []uint32{ipv4Src, ipv4Dst} {
		a.add(bpf.LoadAbsolute{Off: off, Size: 4})
		a.jump(bpf.JumpNotEqual, addr, "drop", "")
	}
	a.add(bpf.LoadMemShift{Off: ip})
	for _, side := range []uint32{ip, ip + 2} {
		a.add(bpf.LoadIndirect{Off: side, Size: 2})
		a.jump(bpf.JumpNotEqual, uint32(m.addr.Port()), "drop", "")
	}
}

func (a *assembler) assemble() ([]unix.SockFilter, error) {
	skip := func(from int, label string) uint8 {
		if label == "" {
			return 0
		}
		return uint8(a.labels[label] - from - 1)
	}
	for i := range a.program {
		if j, ok := a.program[i].(bpf.JumpIf); ok {
			j.SkipTrue, j.SkipFalse = skip(i, a.yes[i]), skip(i, a.no[i])
			a.program[i] = j
		}
	}
	return sockFilter(a.program)
}

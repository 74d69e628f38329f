//go:build linux && (!cgo || nopcap)

package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/hint"
)

// handle reads from an AF_PACKET socket's ring (packet(7), TPACKET_V2: each packet is there at
// once, in a slot of its own, and the ring's size is not bounded by net.core.rmem_max).
type handle struct {
	file    *os.File // the socket
	conn    syscall.RawConn
	ring    []byte
	slots   ring
	at      int // the slot that the kernel fills next
	drops   dropCounter
	before  uint64 // drops before the capture
	dropped uint64 // for want of a slot, as far as the kernel was asked
}

// ring is a ring's shape.
type ring struct{ slot, perBlock, block, count int }

const (
	blockSize = 1 << 20

	// slotOverhead is the room before the packet: header, address, and the kernel's alignment.
	slotOverhead = 128
)

func newRing(snapLen, buffer int) ring {
	var r ring
	r.slot = (snapLen + slotOverhead + unix.TPACKET_ALIGNMENT - 1) &^ (unix.TPACKET_ALIGNMENT - 1)
	r.block = blockSize
	if page := os.Getpagesize(); r.slot > r.block {
		r.block = (r.slot + page - 1) / page * page
	}
	r.perBlock = r.block / r.slot
	r.count = r.perBlock * max(buffer/r.block, 1)
	return r
}

// offset returns where slot i begins: slots do not cross blocks.
func (r ring) offset(i int) int { return i/r.perBlock*r.block + i%r.perBlock*r.slot }

func (r ring) size() int { return r.count / r.perBlock * r.block }

func openHandle(ifi *net.Interface, opt Options, m *marker) (*handle, error) {
	if err := checkLink(ifi); err != nil {
		return nil, err
	}
	program, err := captureProgram(opt, m)
	if err != nil {
		return nil, err
	}
	// Protocol 0 receives nothing until bind, when the filter is in place.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	h := &handle{
		file:  os.NewFile(uintptr(fd), "packet"),
		slots: newRing(opt.snapLen(), opt.buffer()),
		drops: dropCounter(ifi.Name),
	}
	if err := h.setUp(fd, ifi, program); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

func (h *handle) setUp(fd int, ifi *net.Interface, program []unix.SockFilter) error {
	var err error
	if h.conn, err = h.file.SyscallConn(); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2); err != nil {
		return os.NewSyscallError("setsockopt PACKET_VERSION", err)
	}
	if err := attach(fd, program); err != nil {
		return err
	}
	req := unix.TpacketReq{
		Block_size: uint32(h.slots.block), Block_nr: uint32(h.slots.size() / h.slots.block),
		Frame_size: uint32(h.slots.slot), Frame_nr: uint32(h.slots.count),
	}
	if err := unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return os.NewSyscallError("setsockopt PACKET_RX_RING", err)
	}
	h.ring, err = unix.Mmap(fd, 0, h.slots.size(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	h.before = h.drops.read()
	all := &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ALL), Ifindex: ifi.Index}
	return os.NewSyscallError("bind", unix.Bind(fd, all))
}

func bigEndian(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// linkTypeEthernet is LINKTYPE_ETHERNET, which the loopback's packets have too.
const linkTypeEthernet = 1

// checkLink refuses interfaces whose packets have no Ethernet header.
func checkLink(ifi *net.Interface) error {
	if ifi.Flags&net.FlagLoopback != 0 || len(ifi.HardwareAddr) == 6 {
		return nil
	}
	return hint.With(
		fmt.Errorf("read link type: no Ethernet, and no libpcap in this build: %w", errors.ErrUnsupported),
		"build with cgo and libpcap's headers (make run installs them)")
}

func (h *handle) linkType() uint16 { return linkTypeEthernet }

// next returns the next packet. With none it returns errEmpty, at once or after it was woken.
func (h *handle) next(wait bool) (*event.Packet, error) {
	if !h.ready() {
		if !wait {
			return nil, errEmpty
		}
		err := h.conn.Read(func(uintptr) bool { return h.ready() })
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if err := h.file.SetReadDeadline(time.Time{}); err != nil {
				return nil, err
			}
			return nil, errEmpty
		}
		if err != nil {
			return nil, err
		}
	}
	p := packet(h.ring[h.slots.offset(h.at):][:h.slots.slot])
	atomic.StoreUint32(h.status(), unix.TP_STATUS_KERNEL)
	h.at = (h.at + 1) % h.slots.count
	return p, nil
}

// wake makes next return once it finds nothing.
func (h *handle) wake() {
	// A past deadline fails only on a closed socket, which wakes the reader as well.
	_ = h.file.SetReadDeadline(time.Unix(1, 0))
}

func (h *handle) status() *uint32 {
	return (*uint32)(unsafe.Pointer(&h.ring[h.slots.offset(h.at)]))
}

func (h *handle) ready() bool { return atomic.LoadUint32(h.status())&unix.TP_STATUS_USER != 0 }

// packet copies a packet out of its slot.
func packet(slot []byte) *event.Packet {
	hdr := (*unix.Tpacket2Hdr)(unsafe.Pointer(&slot[0]))
	data := slot[hdr.Mac:][:hdr.Snaplen]
	p := &event.Packet{
		Time:    event.Time(int64(hdr.Sec)*1e9 + int64(hdr.Nsec)),
		WireLen: int(hdr.Len),
		Data:    make([]byte, 0, len(data)+vlanTagLen),
	}
	const macs = 12
	if hdr.Status&unix.TP_STATUS_VLAN_VALID != 0 && len(data) >= macs {
		// The kernel took the tag out of the packet (packet(7), tp_vlan_tci).
		tpid := uint16(unix.ETH_P_8021Q)
		if hdr.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
			tpid = hdr.Vlan_tpid
		}
		p.Data = append(p.Data, data[:macs]...)
		p.Data = binary.BigEndian.AppendUint16(p.Data, tpid)
		p.Data = binary.BigEndian.AppendUint16(p.Data, hdr.Vlan_tci)
		data = data[macs:]
		p.WireLen += vlanTagLen
	}
	p.Data = append(p.Data, data...)
	return p
}

const vlanTagLen = 4

// attach replaces the filter.
func (h *handle) attach(program []unix.SockFilter) error {
	var failed error
	err := h.conn.Control(func(fd uintptr) { failed = attach(int(fd), program) })
	return errors.Join(err, failed)
}

func (h *handle) stats() (Stats, error) {
	var failed error
	err := h.conn.Control(func(fd uintptr) {
		st, err := unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS)
		if err != nil {
			failed = os.NewSyscallError("getsockopt", err)
			return
		}
		h.dropped += uint64(st.Drops) // since it was asked last
	})
	if err := errors.Join(err, failed); err != nil {
		return Stats{}, fmt.Errorf("read capture statistics: %w", err)
	}
	return Stats{Dropped: h.dropped, InterfaceDropped: h.drops.read() - h.before}, nil
}

func (h *handle) close() {
	if h.ring != nil {
		// Only a wrong address or length could fail, and there is nothing left to do about it.
		_ = unix.Munmap(h.ring)
	}
	h.file.Close()
}

//go:build linux && cgo && !nopcap

package live

// #include <pcap.h>
import "C"

import (
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/pcap"
	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
)

// pollEvery bounds how long libpcap waits for a packet; gopacket offers no way to wake it. The
// loopback does not depend on it: a marker wakes the reader there.
const pollEvery = 20 * time.Millisecond

// handle reads through libpcap.
type handle struct {
	pcap *pcap.Handle
	// before counts what was dropped until the filter held: other traffic, which may come in
	// bursts.
	before pcap.Stats
}

// numbered turns an error of libpcap, which is text alone, into the number that it was where somebody
// knows a way out of it.
func numbered(err error) error {
	if strings.HasSuffix(err.Error(), "Too many open files") {
		return unix.EMFILE
	}
	return err
}

func openHandle(ifi *net.Interface, opt Options, m *marker) (*handle, error) {
	in, err := pcap.NewInactiveHandle(ifi.Name)
	if err != nil {
		return nil, err
	}
	defer in.CleanUp()
	err = errors.Join(in.SetSnapLen(opt.snapLen()), in.SetBufferSize(opt.buffer()),
		in.SetPromisc(false), in.SetTimeout(pollEvery), in.SetImmediateMode(true))
	if err != nil {
		return nil, fmt.Errorf("set options: %w", err)
	}
	p, err := in.Activate()
	if err != nil {
		return nil, fmt.Errorf("activate: %w", numbered(err))
	}
	if !nanoseconds(p) {
		p.Close()
		return nil, errors.New("libpcap stamps packets in microseconds only")
	}
	if expr := filterExpr(opt, m); expr != "" {
		if err := p.SetBPFFilter(expr); err != nil {
			p.Close()
			return nil, fmt.Errorf("set filter %q: %w", expr, err)
		}
	}
	before, err := p.Stats()
	if err != nil {
		p.Close()
		return nil, fmt.Errorf("read statistics: %w", err)
	}
	return &handle{pcap: p, before: *before}, nil
}

// nanoseconds reports whether p stamps in nanoseconds. Activate always asks libpcap for them.
func nanoseconds(p *pcap.Handle) bool {
	// gopacket v1.1.19 names the two resolutions the wrong way round: a nanosecond handle says
	// Microsecond. A test looks at the stamps themselves.
	return p.Resolution() == gopacket.TimestampResolutionMicrosecond
}

// filterExpr is the filter in pcap-filter(7)'s words. Every packet of the loopback passes twice;
// libpcap passes over the first, outgoing time. The kernel could, by "inbound", but libpcap also
// runs the filter itself on what came before it was set, and there "inbound" matches nothing.
func filterExpr(opt Options, m *marker) string {
	tcp := "tcp"
	if len(opt.Ports) > 0 {
		var ports []string
		for _, p := range opt.Ports {
			ports = append(ports, fmt.Sprintf("tcp port %d", p))
		}
		tcp = "(" + strings.Join(ports, " or ") + ")"
	}
	switch {
	case opt.Filter == "":
	case len(opt.Ports) > 0:
		tcp = fmt.Sprintf("(%s and (%s))", tcp, opt.Filter)
	default:
		tcp = "(" + opt.Filter + ")"
	}
	if m == nil {
		return tcp
	}
	ip, port := m.addr.Addr(), m.addr.Port()
	return fmt.Sprintf("%s or (udp src port %d and dst port %d and src host %s and dst host %s)",
		tcp, port, port, ip, ip)
}

// attach replaces the filter in the kernel. libpcap goes on to run its own, which keeps more, on what
// was buffered before it was set.
func (h *handle) attach(program []unix.SockFilter) error {
	// gopacket keeps libpcap's handle to itself, and offers no way to the socket.
	c := reflect.ValueOf(h.pcap).Elem().FieldByName("cptr").UnsafePointer()
	return attach(int(C.pcap_fileno((*C.pcap_t)(c))), program)
}

// next returns the next packet. With none it returns errEmpty after pollEvery, wait or not.
func (h *handle) next(wait bool) (*event.Packet, error) {
	data, ci, err := h.pcap.ReadPacketData()
	if err == pcap.NextErrorTimeoutExpired {
		return nil, errEmpty
	}
	if err != nil {
		return nil, err
	}
	return &event.Packet{
		Time:    event.Time(ci.Timestamp.UnixNano()),
		WireLen: ci.Length,
		Data:    data,
	}, nil
}

// wake does nothing: next returns by itself after pollEvery.
func (h *handle) wake() {}

// linkTypeRaw is LINKTYPE_RAW, which Linux's DLT_RAW (12) is written as in files.
const linkTypeRaw = 101

func (h *handle) linkType() uint16 {
	if dlt := uint16(h.pcap.LinkType()); dlt != 12 {
		return dlt
	}
	return linkTypeRaw
}

func (h *handle) stats() (Stats, error) {
	s, err := h.pcap.Stats()
	if err != nil {
		return Stats{}, fmt.Errorf("read capture statistics: %w", err)
	}
	return Stats{
		Dropped:          uint64(s.PacketsDropped - h.before.PacketsDropped),
		InterfaceDropped: uint64(s.PacketsIfDropped - h.before.PacketsIfDropped),
	}, nil
}

func (h *handle) close() { h.pcap.Close() }

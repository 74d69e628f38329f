//go:build linux

package live

import (
	"encoding/binary"
	"sync"

	"github.com/closecap/closecap/analyze/event"
)

// log collects packets for a test that looks at them while the capture runs.
type log struct {
	mu      sync.Mutex
	packets []*event.Packet
}

func (l *log) add(p *event.Packet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.packets = append(l.packets, p)
}

func (l *log) all() []*event.Packet {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.packets[:len(l.packets):len(l.packets)]
}

// tcpHeader returns the packet from its TCP header on, and how many bytes of payload it carried
// on the wire.
func tcpHeader(p *event.Packet) (tcp []byte, length int) {
	ipHeader := int(p.Data[14]&15) * 4
	tcp = p.Data[14+ipHeader:]
	return tcp, int(binary.BigEndian.Uint16(p.Data[16:])) - ipHeader - int(tcp[12]>>4)*4
}

// payload returns how many bytes the packets carried to port after its SYN, each byte counted
// once: the kernel may repeat the last segment as a loss probe (RFC 8985).
func payload(packets []*event.Packet, port uint16) int {
	var got [1 << 17]bool
	var first uint32 // after the SYN
	n := 0
	for _, p := range packets {
		tcp, length := tcpHeader(p)
		if binary.BigEndian.Uint16(tcp[2:]) != port {
			continue
		}
		seq := binary.BigEndian.Uint32(tcp[4:])
		if event.Flags(tcp[13]).Has(event.SYN) {
			first = seq + 1
		}
		for i := range uint32(length) {
			if !got[seq-first+i] {
				got[seq-first+i] = true
				n++
			}
		}
	}
	return n
}

package pcapfile

import (
	"encoding/binary"

	"github.com/closecap/closecap/analyze/event"
)

// pcapBytes makes a pcap file of the given magic with one packet a payload.
func pcapBytes(order binary.AppendByteOrder, magic uint32, minor uint16, link uint32, payloads ...string) []byte {
	b := order.AppendUint32(nil, magic)
	b = order.AppendUint16(b, 2)
	b = order.AppendUint16(b, minor)
	b = append(b, make([]byte, 8)...)
	b = order.AppendUint32(b, 65535)
	b = order.AppendUint32(b, link)
	for i, p := range payloads {
		captured, wire := uint32(len(p)), uint32(len(p)+100)
		if minor < 4 {
			captured, wire = wire, captured
		}
		b = order.AppendUint32(b, 1700000000)
		b = order.AppendUint32(b, uint32(i+1))
		b = order.AppendUint32(b, captured)
		b = order.AppendUint32(b, wire)
		if magic == magicKuznetzov {
			b = append(b, make([]byte, 8)...)
		}
		b = append(b, p...)
	}
	return b
}

// ng builds pcapng blocks.
type ng struct {
	order binary.AppendByteOrder
	b     []byte
}

func (n *ng) block(kind uint32, body []byte) {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	size := uint32(len(body) + 12)
	n.b = n.order.AppendUint32(n.b, kind)
	n.b = n.order.AppendUint32(n.b, size)
	n.b = append(n.b, body...)
	n.b = n.order.AppendUint32(n.b, size)
}

func (n *ng) section() {
	b := n.order.AppendUint32(nil, byteOrderMagic)
	b = n.order.AppendUint16(b, 1)
	b = n.order.AppendUint16(b, 0)
	n.block(blockSection, append(b, 255, 255, 255, 255, 255, 255, 255, 255))
}

func (n *ng) option(b []byte, code uint16, value string) []byte {
	b = n.order.AppendUint16(b, code)
	b = n.order.AppendUint16(b, uint16(len(value)))
	return pad(append(b, value...))
}

func (n *ng) iface(link uint16, snap uint32, options ...[]byte) {
	b := n.order.AppendUint16(nil, link)
	b = n.order.AppendUint16(b, 0)
	b = n.order.AppendUint32(b, snap)
	for _, o := range options {
		b = append(b, o...)
	}
	n.block(blockInterface, b)
}

func (n *ng) packet(id uint32, ticks uint64, data string, options ...[]byte) {
	b := n.order.AppendUint32(nil, id)
	b = n.order.AppendUint32(b, uint32(ticks>>32))
	b = n.order.AppendUint32(b, uint32(ticks))
	b = n.order.AppendUint32(b, uint32(len(data)))
	b = n.order.AppendUint32(b, uint32(len(data)))
	b = pad(append(b, data...))
	for _, o := range options {
		b = append(b, o...)
	}
	n.block(blockEnhanced, b)
}

// packetsOf strips records to what the tests compare.
func packetsOf(all []Record) (got []event.Packet) {
	for _, r := range all {
		p := r.Packet
		got = append(got, p)
	}
	return got
}

var le = binary.LittleEndian

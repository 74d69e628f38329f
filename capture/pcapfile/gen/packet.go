package gen

import "encoding/binary"

const (
	fin = 1
	syn = 2
	rst = 4
	psh = 8
	ack = 16
)

// step sends the connection's next packet.
func (g *generator) step(c *conn) error {
	what := c.script[0]
	c.script = c.script[1:]
	side := 0
	if what >= 'a' {
		side, what = 1, what-'a'+'A'
	}
	p := packet{from: side, seq: c.seq[side], ack: c.seq[1-side], flags: ack}
	switch what {
	case 'S':
		p.flags = syn | ack*uint8(side)
		if c.script == "" || c.script[0] != 'S' {
			c.seq[side]++
		}
	case 'D':
		p.flags, p.size = psh|ack, g.size(side)
		c.seq[side] += uint32(p.size)
	case 'F':
		p.flags = fin | ack
		c.fin[side] = c.seq[side]
		c.seq[side]++
	case 'T':
		p.flags, p.seq = fin|ack, c.fin[side]
	case 'R':
		p.flags = rst | ack
	case 'N':
		p.flags, p.bare = rst, true
	case 'X':
		p.flags, p.seq, p.bare = rst|ack, 0, true
	}
	g.now += 1 + int64(g.rand.IntN(40))
	return g.write(c, &p)
}

// size is a request's from the client, and a full segment or the last part from the server.
func (g *generator) size(side int) int {
	switch {
	case side == 0:
		return 100 + g.rand.IntN(600)
	case g.rand.IntN(2) == 0:
		return 1448
	}
	return 1 + g.rand.IntN(1447)
}

type packet struct {
	from     int
	seq, ack uint32
	flags    uint8
	size     int
	bare     bool // no options: an RST that no socket sent
}

func (g *generator) write(c *conn, p *packet) error {
	b := g.frame[:16]
	b = append(b, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1)
	options := 12
	if p.bare {
		options = 0
	} else if p.flags&syn != 0 {
		options = 20
	}
	size := 20 + options + p.size
	if c.v6 {
		b = c.ip6(b, p.from, size)
	} else {
		b = c.ip4(b, p, size)
	}
	b = g.tcp(b, c, p, options)
	binary.LittleEndian.PutUint32(b, uint32(g.now/1_000_000))
	binary.LittleEndian.PutUint32(b[4:], uint32(g.now%1_000_000))
	binary.LittleEndian.PutUint32(b[8:], uint32(len(b)-16))
	binary.LittleEndian.PutUint32(b[12:], uint32(len(b)-16))
	g.made.Packets++
	g.made.Bytes += int64(len(b))
	_, err := g.w.Write(b)
	return err
}

func (c *conn) ip4(b []byte, p *packet, size int) []byte {
	b = append(b, 8, 0)
	at := len(b)
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(20+size))
	b = binary.BigEndian.AppendUint16(b, uint16(p.seq))
	b = append(b, 0x40, 0, 64, 6, 0, 0)
	client := [4]byte{10, byte(c.id >> 16 & 3), byte(c.id >> 8), byte(c.id)}
	server := [4]byte{192, 0, 2, byte(c.id % 5)}
	if p.from == 1 {
		client, server = server, client
	}
	b = append(append(b, client[:]...), server[:]...)
	binary.BigEndian.PutUint16(b[at+10:], ^checksum(0, b[at:]))
	return b
}

func (c *conn) ip6(b []byte, from, size int) []byte {
	b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	b = append(b, 6, 64)
	client := [16]byte{0x20, 1, 0xd, 0xb8, 12: byte(c.id >> 24), byte(c.id >> 16), byte(c.id >> 8), byte(c.id)}
	server := [16]byte{0x20, 1, 0xd, 0xb8, 1, 15: byte(c.id % 5)}
	if from == 1 {
		client, server = server, client
	}
	return append(append(b, client[:]...), server[:]...)
}

func (g *generator) tcp(b []byte, c *conn, p *packet, options int) []byte {
	addresses := 8
	if c.v6 {
		addresses = 32
	}
	at := len(b)
	ports := [2]uint16{uint16(32768 + c.id%28000), 443}
	b = binary.BigEndian.AppendUint16(b, ports[p.from])
	b = binary.BigEndian.AppendUint16(b, ports[1-p.from])
	b = binary.BigEndian.AppendUint32(b, p.seq)
	if p.flags&ack != 0 {
		b = binary.BigEndian.AppendUint32(b, p.ack)
	} else {
		b = append(b, 0, 0, 0, 0)
	}
	b = append(b, byte(20+options)/4<<4, p.flags, 2, 0, 0, 0, 0, 0)
	if options == 20 {
		b = append(b, 2, 4, 5, 0xb4, 4, 2, 8, 10)
	} else if options == 12 {
		b = append(b, 1, 1, 8, 10)
	}
	if options > 0 {
		b = binary.BigEndian.AppendUint32(b, uint32(g.now/1000))
		b = append(b, 0, 0, 0, 1)
	}
	if options == 20 {
		b = append(b, 1, 3, 3, 7)
	}
	from := g.rand.IntN(len(g.noise) - p.size)
	b = append(b, g.noise[from:from+p.size]...)
	n := len(b) - at
	pseudo := uint64(6 + n)
	binary.BigEndian.PutUint16(b[at+16:], ^checksum(pseudo, b[at-addresses:]))
	return b
}

func checksum(t uint64, b []byte) uint16 {
	for len(b) >= 4 {
		t += uint64(binary.BigEndian.Uint32(b))
		b = b[4:]
	}
	var last [4]byte
	copy(last[:], b)
	t += uint64(binary.BigEndian.Uint32(last[:]))
	for t > 0xffff {
		t = t>>16 + t&0xffff
	}
	return uint16(t)
}

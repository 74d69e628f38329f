// Package gen makes captures of any size for benchmarks and tests: many TCP connections at a
// time, with all the ways to end, the same bytes for the same Options.
//
// It imitates traffic only as far as a reader and a follower of connections can tell.
package gen

import (
	"bufio"
	"encoding/binary"
	"io"
	"math/rand/v2"
)

// Options say how much to make. Zero fields take the value of the project's benchmark, which
// comes to 5 million packets and 1.6 GB.
type Options struct {
	Connections int // 300,000
	Open        int // at a time: 20,000, of which up to a tenth never end
	Requests    int // of each: one to three
	Seed        uint64
}

// Made says what was written.
type Made struct {
	Packets, Connections, Bytes int64
	Endings                     [Endings]int64
}

// Write writes a pcap file with microseconds and Ethernet.
func Write(w io.Writer, opt Options) (Made, error) {
	if opt.Connections == 0 {
		opt.Connections = 300_000
	}
	if opt.Open == 0 {
		opt.Open = 20_000
	}
	g := &generator{
		w:    bufio.NewWriterSize(w, 1<<20),
		rand: rand.New(rand.NewPCG(opt.Seed, 1)),
		now:  1_764_000_000_000_000,
		left: opt.Connections,
		slot: make([]conn, 0, opt.Open),

		requests: opt.Requests,

		mayStay: opt.Open / 10,
	}
	for i := range g.noise {
		g.noise[i] = byte(g.rand.Uint32())
	}
	for g.left > 0 && len(g.slot) < opt.Open {
		g.slot = append(g.slot, g.open())
	}
	if err := g.fileHeader(); err != nil {
		return g.made, err
	}
	return g.made, g.run()
}

type generator struct {
	w       *bufio.Writer
	rand    *rand.Rand
	now     int64 // microseconds
	left    int   // connections not begun
	mayStay int   // connections that may yet stay open for ever
	slot    []conn
	made    Made
	noise   [4096]byte
	frame   [2048]byte

	requests int // of each connection, if not 0
}

func (g *generator) fileHeader() error {
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = binary.LittleEndian.AppendUint32(b, 2|4<<16)
	b = append(b, make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint32(b, 262144)
	b = binary.LittleEndian.AppendUint32(b, 1)
	g.made.Bytes += int64(len(b))
	_, err := g.w.Write(b)
	return err
}

// run lets one connection after the other, chosen at random, send its next packet.
func (g *generator) run() error {
	for len(g.slot) > 0 {
		i := g.rand.IntN(len(g.slot))
		c := &g.slot[i]
		if err := g.step(c); err != nil {
			return err
		}
		if c.script != "" {
			continue
		}
		if g.left > 0 && !c.stays {
			*c = g.open()
		} else {
			*c = g.slot[len(g.slot)-1]
			g.slot = g.slot[:len(g.slot)-1]
		}
	}
	return g.w.Flush()
}

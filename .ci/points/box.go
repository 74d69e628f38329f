package main

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// mark is what a packet is known by wherever it passes, translated or not.
type mark struct {
	id       uint16
	seq, ack uint32
	flags    byte
	length   uint16
}

// TCP flags in a header.
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
)

// packet is the parts of an IPv4 packet with TCP.
type packet struct {
	ip, tcp []byte
}

// parse returns the parts of b, false for anything else than TCP in IPv4.
func parse(b []byte) (p packet, ok bool) {
	if len(b) < 40 || b[0]>>4 != 4 || b[9] != 6 {
		return p, false
	}
	header := int(b[0]&15) * 4
	if len(b) < header+20 {
		return p, false
	}
	return packet{b, b[header:]}, true
}

func (p packet) payload() int {
	return int(binary.BigEndian.Uint16(p.ip[2:])) - int(p.ip[0]&15)*4 - int(p.tcp[12]>>4)*4
}

func (p packet) mark() mark {
	return mark{binary.BigEndian.Uint16(p.ip[4:]), binary.BigEndian.Uint32(p.tcp[4:]), binary.BigEndian.Uint32(p.tcp[8:]), p.tcp[13], uint16(p.payload())}
}

// answer returns an RST in the name of p's receiver, or of its sender.
func (p packet) answer(inNameOfSender bool, id uint16, ttl byte) []byte {
	b := make([]byte, 40)
	b[0], b[8], b[9] = 0x45, ttl, 6
	binary.BigEndian.PutUint16(b[2:], 40)
	binary.BigEndian.PutUint16(b[4:], id)
	t := b[20:]
	t[12], t[13] = 5<<4, rst
	if inNameOfSender {
		copy(b[12:20], p.ip[12:20])
		copy(t[0:8], p.tcp[0:8]) // the ports, and its own number
		t[13] |= ack
		copy(t[8:12], p.tcp[8:12])
	} else {
		copy(b[12:16], p.ip[16:20])
		copy(b[16:20], p.ip[12:16])
		copy(t[0:2], p.tcp[2:4])
		copy(t[2:4], p.tcp[0:2])
		copy(t[4:8], p.tcp[8:12]) // the number that is acknowledged
	}
	binary.BigEndian.PutUint16(b[10:], checksum(b[:20], 0))
	pseudo := uint32(6 + 20)
	for i := 12; i < 20; i += 2 {
		pseudo += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	binary.BigEndian.PutUint16(t[16:], checksum(t, pseudo))
	return b
}

func checksum(b []byte, sum uint32) uint16 {
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// box is what lies between two devices: it delays, loses, and resets, and keeps what it did.
type box struct {
	mu       sync.Mutex
	rand     *rand.Rand
	loss     float64
	delay    time.Duration
	jitter   time.Duration
	firebox  bool             // connections to resetPorts are reset
	swallows bool             // no RST comes through
	data     map[uint32]int   // payload packets so far, by connection
	reset    map[uint32]bool  // connections that were
	lost     map[mark]int     // what was lost, how often
	made     map[mark]int     // what was made
	ways     [2]chan schedule // toward the client, toward the server
	to       [2]*os.File
	wait     sync.WaitGroup
	bypass   *os.File // where what goes to the client goes instead, past the router
}

type schedule struct {
	at time.Time
	b  []byte
}

// The server's ports whose connections a firewall resets, at whom.
const (
	resetsClient = 8001
	resetsServer = 8002
	resetsBoth   = 8003
)

// patience is how many packets with payload a firewall lets pass.
const patience = 3

func newBox(seed uint64, loss float64) *box {
	return &box{rand: rand.New(rand.NewPCG(seed, 17)), loss: loss, delay: 4 * time.Millisecond, jitter: time.Millisecond, data: map[uint32]int{},
		reset: map[uint32]bool{}, lost: map[mark]int{}, made: map[mark]int{}}
}

// run passes packets between two devices until they are closed.
func (x *box) run(client, server *os.File) {
	x.to = [2]*os.File{client, server}
	if x.bypass != nil {
		x.to[0] = x.bypass
	}
	for i := range x.ways {
		x.ways[i] = make(chan schedule, 1<<16)
		x.wait.Go(func() {
			for s := range x.ways[i] {
				time.Sleep(time.Until(s.at))
				x.to[i].Write(s.b) // a device that is closed takes nothing
			}
		})
	}
	var readers sync.WaitGroup
	for i, from := range []*os.File{server, client} {
		if from == nil {
			continue
		}
		readers.Go(func() {
			b := make([]byte, 1<<16)
			for {
				n, err := from.Read(b)
				if err != nil {
					return
				}
				x.pass(i, append([]byte{}, b[:n]...))
			}
		})
	}
	x.wait.Go(func() {
		readers.Wait()
		close(x.ways[0])
		close(x.ways[1])
	})
}

// pass decides on a packet that goes to an end, 0 the client.
func (x *box) pass(to int, b []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	p, ok := parse(b)
	if !ok {
		x.send(to, b)
		return
	}
	ports := [2]uint16{binary.BigEndian.Uint16(p.tcp[0:]), binary.BigEndian.Uint16(p.tcp[2:])}
	client, server := ports[to^1], ports[to]
	if to == 0 {
		client, server = ports[1], ports[0]
	}
	conn := uint32(client)<<16 | uint32(server)
	if x.firebox && server >= resetsClient && server <= resetsBoth {
		if p.tcp[13]&syn != 0 && p.tcp[13]&ack == 0 {
			delete(x.reset, conn)
			x.data[conn] = 0
		}
		if p.payload() > 0 {
			x.data[conn]++
		}
		if x.data[conn] > patience && p.tcp[13]&rst == 0 && !x.reset[conn] {
			x.reset[conn] = true
			x.refuse(to, p, server)
		}
		if x.reset[conn] {
			x.lost[p.mark()]++
			return
		}
	}
	if x.rand.Float64() < x.loss || x.swallows && p.tcp[13]&rst != 0 {
		x.lost[p.mark()]++
		return
	}
	if x.bypass != nil && to == 0 && b[8] > 1 { // as a router in its stead would
		b[8]--
		binary.BigEndian.PutUint16(b[10:], 0)
		binary.BigEndian.PutUint16(b[10:], checksum(b[:int(b[0]&15)*4], 0))
	}
	x.send(to, b)
}

// refuse sends an RST to the ends that are to have one.
func (x *box) refuse(to int, p packet, port uint16) {
	ids := []uint16{0, uint16(x.rand.Uint32())}
	ttls := []byte{64, 61, 255}
	for end := range 2 {
		if end == 0 && port == resetsServer || end == 1 && port == resetsClient {
			continue
		}
		b := p.answer(end == to, ids[x.rand.IntN(2)], ttls[x.rand.IntN(3)])
		q, _ := parse(b)
		x.made[q.mark()]++
		x.send(end, b)
	}
}

func (x *box) send(to int, b []byte) {
	if x.rand.IntN(20) == 0 { // some packets are overtaken
		time.AfterFunc(x.delay+x.jitter, func() { x.to[to].Write(b) })
		return
	}
	x.ways[to] <- schedule{time.Now().Add(x.delay), b}
}

package words_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
	"github.com/closecap/closecap/analyze/words"
)

var (
	here  = netip.MustParseAddrPort("10.0.0.1:40000")
	there = netip.MustParseAddrPort("10.0.0.2:7")
)

// converse has a client ask and a server answer on a connection of its own, from a frame on, and returns the last.
func converse(k *words.Keeper, frame uint64, isn seqnum.Value, ask, answer string) uint64 {
	one := func(src, dst netip.AddrPort, seq seqnum.Value, flags event.Flags, payload string) {
		s := event.Segment{Frame: frame, Src: src, Dst: dst, Seq: seq, Flags: flags, Len: uint32(len(payload))}
		k.Segment(&s, []byte(payload))
		frame++
	}
	one(here, there, isn, event.SYN, "")
	one(there, here, isn, event.SYN|event.ACK, "")
	one(here, there, isn.Add(1), event.ACK, ask)
	one(there, here, isn.Add(1), event.ACK, answer)
	one(there, here, isn.Add(1+uint32(len(answer))), event.ACK|event.FIN, "")
	one(here, there, isn.Add(1+uint32(len(ask))), event.ACK|event.FIN, "")
	return frame - 1
}

// TestKeeper holds that each connection on the same addresses is told by itself, though both were heard before the
// first is taken, and that nothing of one is left where its memory is used for another.
func TestKeeper(t *testing.T) {
	k := words.NewKeeper()
	for round := range uint64(3) {
		frame := 1 + 100*round
		first := converse(k, frame, seqnum.Value(1000*round), get, "HTTP/1.1 503 Busy\r\n\r\n")
		second := converse(k, first+1, seqnum.Value(1000*round+500), "*1\r\n$4\r\nPING\r\n", maxConns)
		for _, tt := range []struct {
			last uint64
			want string
		}{{first, "HTTP/1.1 503 Busy"}, {second, strings.TrimSpace(maxConns)}} {
			h := k.Take(there, here, tt.last)
			if h == nil {
				t.Fatalf("nothing was heard by frame %d", tt.last)
			}
			if w := h.Words(words.Server, true, false); w == nil || w.Meaning != tt.want {
				t.Errorf("by frame %d the server's last words are %+v, want %q", tt.last, w, tt.want)
			}
			k.GiveBack(h)
		}
		if k.Open() != 0 || k.Take(here, there, second) != nil {
			t.Errorf("round %d: something is kept of what was taken", round)
		}
	}
}

// TestKeeperAllocates holds that connections whose protocol is not known take no memory that was not used before.
func TestKeeperAllocates(t *testing.T) {
	k := words.NewKeeper()
	noise := strings.Repeat("\x01\x80", 700)
	frame := uint64(0)
	round := func() {
		frame = converse(k, frame+1, seqnum.Value(frame), noise, noise)
		k.GiveBack(k.Take(here, there, frame))
	}
	for range 10 {
		round()
	}
	if n := testing.AllocsPerRun(100, round); n > 2 { // what converse makes of noise
		t.Errorf("%v allocations a connection", n)
	}
}

// TestNumbered holds that what is said is told by number, that of a connection that was told of nothing is kept but its
// place, whatever comes late, and that an RST begins none, though it brings bytes.
func TestNumbered(t *testing.T) {
	const n = 70
	k := words.NewNumbered()
	say := func(s event.Segment, payload string) {
		s.Len = uint32(len(payload))
		k.Segment(n, &s, s.Src == there, []byte(payload))
	}
	if say(event.Segment{Src: here, Dst: there, Flags: event.RST}, "reset"); k.Open() != 0 {
		t.Error("an RST began a connection")
	}
	say(event.Segment{Frame: 1, Src: here, Dst: there, Seq: 1000, Flags: event.SYN}, "")
	say(event.Segment{Frame: 2, Src: there, Dst: here, Seq: 5000, Flags: event.SYN | event.ACK}, "")
	say(event.Segment{Frame: 3, Src: here, Dst: there, Seq: 1001, Flags: event.ACK}, "*1\r\n$4\r\nPING\r\n")
	say(event.Segment{Frame: 4, Src: there, Dst: here, Seq: 5001, Flags: event.ACK}, maxConns)
	h := k.Look(n)
	if h == nil || k.Look(n+1) != nil || k.Look(1000) != nil {
		t.Fatal("it is known by another number, or by none")
	}
	if w := h.Words(words.Server, true, false); w == nil || w.Meaning != strings.TrimSpace(maxConns) {
		t.Errorf("the server's last words are %+v", w)
	}
	h.Told()
	say(event.Segment{Frame: 5, Src: here, Dst: there, Seq: 1015, Flags: event.ACK}, "text\n")
	var c analyze.Connection
	h.Tell(&c, words.Telling{Raw: true})
	if c.LastWords != nil || h.Held() != 0 || k.Open() != 1 {
		t.Errorf("told once more: %+v; %d bytes are held of %d connections, want 0 of 1", c.LastWords, h.Held(), k.Open())
	}
	if k.Take(n) != h || k.Open() != 0 || k.Take(n) != nil {
		t.Error("it was not taken")
	}
	k.GiveBack(h)
}

package flows

import (
	"net/netip"
	"testing"
	"unsafe"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/seqnum"
)

// What memory counts are the sizes of what it counts.
func TestMemoryCountsTheRightSizes(t *testing.T) {
	if got := unsafe.Sizeof(entry{}); got != entryBytes {
		t.Errorf("an entry takes %d bytes, want %d", got, entryBytes)
	}
	if got := unsafe.Sizeof(followed{}); got > flowBytes || got < flowBytes-64 {
		t.Errorf("a flow takes %d bytes, want %d", got, flowBytes)
	}
	if got := unsafe.Sizeof(head{}) + unsafe.Sizeof(neighbours{}) + 8 + 8; got+16 != placeBytes {
		t.Errorf("a place takes %d bytes, and 16 in the table, want %d", got, placeBytes)
	}
}

// floods opens n connections at a time, sends them data in turns, and closes them; then as many others.
func floods(f *Follower, n, rounds int) {
	frame := uint64(0)
	send := func(i int, up bool, flags event.Flags, seq, ack seqnum.Value, size uint32) {
		frame++
		s := event.Segment{Frame: frame, Time: event.Time(1e12 + frame*1000), Flags: flags, Seq: seq, Ack: ack, Len: size, Window: 500}
		s.Src = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 40000)
		s.Dst = netip.MustParseAddrPort("10.255.0.1:80")
		if !up {
			s.Src, s.Dst = s.Dst, s.Src
		}
		f.Segment(&s)
	}
	for first := 0; first < n*rounds; first += n {
		for i := first; i < first+n; i++ {
			send(i, true, event.SYN, 0, 0, 0)
			send(i, false, event.SYN|event.ACK, 0, 1, 0)
			send(i, true, event.ACK, 1, 1, 0)
		}
		for round := range seqnum.Value(40) {
			for i := first; i < first+n; i++ {
				send(i, true, event.ACK|event.PSH, 1+round*10, 1, 10)
			}
		}
		for i := first; i < first+n; i++ {
			send(i, false, event.ACK, 1, 401, 0)
			send(i, true, event.FIN|event.ACK, 401, 1, 0)
			send(i, false, event.FIN|event.ACK, 1, 402, 0)
			send(i, true, event.ACK, 402, 2, 0)
		}
		frame += 5e6 // 5 s, within which a last ACK may come
	}
}

// Where the connections do not fit into the memory, those that are over are judged before their time, and it
// is counted; where open ones do not, that is noticed.
func TestMemoryIsBounded(t *testing.T) {
	for _, test := range []struct {
		name         string
		open, rounds int
		memory       int64
		hurried      bool
		overwhelmed  bool
	}{
		{"enough", 4000, 1, 64 << 20, false, false},
		{"too little for those that wait", 500, 8, 4 << 20, true, false},
		{"too little for those that are open", 4000, 1, 4 << 20, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			done := 0
			f := NewFollower(analyze.Options{MaxMemory: test.memory}, func(*analyze.Connection) { done++ })
			floods(f, test.open, test.rounds)
			if got := f.memory(); got > test.memory {
				t.Errorf("%d bytes in use, want at most %d", got, test.memory)
			}
			st, over := f.Stats(), f.Overwhelmed()
			if !test.overwhelmed && (st.Hurried > 0) != test.hurried || (st.Evicted > 0) != test.overwhelmed || over != test.overwhelmed {
				t.Errorf("%d judged before their time, %d given up, overwhelmed: %v", st.Hurried, st.Evicted, over)
			}
			if f.Finish(); !test.overwhelmed && done != test.open*test.rounds {
				t.Errorf("%d connections, want %d", done, test.open*test.rounds)
			}
		})
	}
}

package words_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/words"
)

// speak has both ends of a Talk say pieces: each a byte whose lowest bit is the end and whose others are its
// length, and what it says. Each piece goes in steps of some bytes, 0 for as a whole.
func speak(script []byte, step int) *words.Talk {
	var t words.Talk
	at := [2]event.Segment{{Seq: 1<<32 - 50, Flags: event.SYN}, {Seq: 7, Flags: event.SYN | event.ACK}}
	for e := range at {
		t.Segment(words.End(e), &at[e], nil)
		at[e].Seq, at[e].Flags = at[e].Seq.Add(1), event.ACK
	}
	for frame := uint64(3); len(script) > 1; frame++ {
		e, n := int(script[0]&1), min(int(script[0]>>1)*8+1, len(script)-1)
		piece := script[1 : 1+n]
		script = script[1+n:]
		for len(piece) > 0 {
			n := len(piece)
			if step > 0 {
				n = min(n, step)
			}
			s := &at[e]
			s.Frame, s.Len = frame, uint32(n)
			t.Segment(words.End(e), s, piece[:n])
			s.Seq, piece = s.Seq.Add(uint32(n)), piece[n:]
		}
	}
	for e := range at {
		at[e].Flags, at[e].Len = event.FIN|event.ACK, 0
		t.Segment(words.End(e), &at[e], nil)
	}
	return &t
}

// script is the reverse of speak, for the first connection of a capture.
func script(packets []packet) (b []byte) {
	for _, p := range packets {
		e := byte(0)
		if event.PairOf(p.Src, p.Dst) != event.PairOf(packets[0].Src, packets[0].Dst) {
			continue
		}
		if p.Src != packets[0].Src {
			e = 1
		}
		for rest := p.payload; len(rest) > 0; {
			n := min((len(rest)-1)/8, 127)
			b = append(append(b, byte(n)<<1|e), rest[:n*8+1]...)
			rest = rest[n*8+1:]
		}
	}
	return b
}

// FuzzTalk holds that no bytes make a Talk fail, and that how they are cut into segments changes nothing of
// what it says.
func FuzzTalk(f *testing.F) {
	files, err := filepath.Glob("testdata/*.pcap")
	if err != nil || len(files) == 0 {
		f.Fatalf("no captures: %v", err)
	}
	for _, file := range files {
		f.Add(script(read(f, file)))
	}
	f.Add([]byte("\a00000000000000000000000\x01\n10"))                                                                                                                                // a line after one that is not for reading
	f.Add([]byte("\n000000000000000000000000000000000000000001\x00\x00\x00\x00\xff"))                                                                                                 // no room for MySQL's error
	f.Add([]byte("0*0\r\r\n$00\r\n"))                                                                                                                                                 // half a line's end before a line's end
	f.Add([]byte("\x03\x00\x00\x00\x04\x00\x00\x00\x00\x00\x0eP000000000000000000000000000000000000000000000000000000001\x00\x00\x19\x01\x040001\x88A\x96000000000000000000000\xdf")) // one byte of a preface
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, bytewise := speak(b, 0), speak(b, 1)
		for _, e := range [...]words.End{words.Client, words.Server} {
			for _, over := range [...]bool{false, true} {
				got, want := bytewise.Words(e, over, true), whole.Words(e, over, true)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("end %d, over %v: whole and byte by byte differ:\n%s", e, over, diff)
				}
			}
		}
	})
}

package intake

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"

	"github.com/closecap/closecap/capture/pcapfile"
)

// talking is a pcap of segments each of which carries its own number, and of every fifth packet something else.
func talking(n, size int) []byte {
	le := binary.LittleEndian
	b := repeated(0)
	for i := range n {
		packet := append(repeated(1)[24+16:], make([]byte, size)...)
		binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
		binary.BigEndian.PutUint32(packet[40:], uint32(i))
		if i%5 == 4 {
			packet[9] = 1 // ICMP
		}
		for _, word := range []uint32{1, 0, uint32(len(packet)), uint32(len(packet))} {
			b = le.AppendUint32(b, word)
		}
		b = append(b, packet...)
	}
	return b
}

// TestPayload holds that each segment's own payload goes with it where it is asked for, in batches that stay
// small.
func TestPayload(t *testing.T) {
	const n, size = 2000, 1000
	b := talking(n, size)
	seen := 0
	for batch, err := range Batches(context.Background(), pcapfile.NewReader(bytes.NewReader(b), "x", pcapfile.Options{}), Options{Payload: true}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(batch.Payload) > maxPayload+size {
			t.Errorf("a batch has %d bytes of payload", len(batch.Payload))
		}
		for s, p := range batch.Payloads() {
			if len(p) != size || binary.BigEndian.Uint32(p) != uint32(s.Frame-1) {
				t.Fatalf("frame %d has the payload %x of %d bytes", s.Frame, p[:min(len(p), 4)], len(p))
			}
			seen++
		}
	}
	if seen != n/5*4 {
		t.Errorf("%d segments, want %d", seen, n/5*4)
	}
	for batch, err := range Batches(context.Background(), pcapfile.NewReader(bytes.NewReader(b), "x", pcapfile.Options{}), Options{}) {
		for range batch.Payloads() {
			t.Fatal("nobody asked for payload")
		}
		if err != nil || batch.Payload != nil {
			t.Fatalf("%d bytes of payload, error %v: nobody asked for it", len(batch.Payload), err)
		}
	}
}

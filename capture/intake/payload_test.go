package intake

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"

	"github.com/closecap/closecap/analyze/event"
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
	for batch, err := range Batches(context.Background(), pcapfile.NewReader(bytes.NewReader(b), "x", pcapfile.Options{}), Options{Payload: func([]byte) event.Speech { return 0 }}) {
		if err != nil {
			t.Fatal(err)
		}
		if len(batch.Payload) > maxPayload+size {
			t.Errorf("a batch has %d bytes of payload", len(batch.Payload))
		}
		from := 0
		for i, to := range batch.Ends {
			s, p := &batch.Segments[i], batch.Payload[from:to]
			if from = to; s.Len == 0 {
				continue
			}
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
		if err != nil || batch.Payload != nil || batch.Ends != nil {
			t.Fatalf("%d bytes of payload, error %v: nobody asked for it", len(batch.Payload), err)
		}
	}
}

// TestDropPayload holds that of what was recorded the headers are left, and of a call how much it carried.
func TestDropPayload(t *testing.T) {
	const size = 100
	rec, err := ReadRecording(context.Background(), pcapfile.NewReader(bytes.NewReader(talking(10, size)), "x", pcapfile.Options{}))
	if err != nil || len(rec.Packets) != 10 {
		t.Fatalf("%d packets, error %v", len(rec.Packets), err)
	}
	rec.AddCalls(event.Call{Name: "send", Text: "secret", Ret: 6}, event.Call{Name: "recv", Text: "secret", Want: `"secret"`, Ret: 6},
		event.Call{Name: "getsockopt", Text: "1", Want: "1"})
	DropPayload(rec)
	for _, p := range rec.Packets {
		if len(p.Data) > 40 || p.WireLen != 40+size {
			t.Errorf("frame %d: %d of %d bytes are left", p.Frame, len(p.Data), p.WireLen)
		}
	}
	if a, b, c := rec.Calls[0], rec.Calls[1], rec.Calls[2]; a.Text+b.Text != "" || a.Ret != 6 || b.Want != "6" || c.Text != "1" || c.Want != "1" {
		t.Errorf("the calls are %+v, %+v, %+v", a, b, c)
	}
}

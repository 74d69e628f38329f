package intake

import (
	"bytes"
	"context"
	"fmt"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/decode"
)

// maxRecording bounds the frames of what is read into memory as one recording.
const maxRecording = 1 << 20

// ReadRecording reads all of src into memory, and decodes it. With an error, also that
// of more than 1,048,576 frames, the recording holds what could be read before it.
func ReadRecording(ctx context.Context, src Source) (*event.Recording, error) {
	rec := &event.Recording{}
	d := decode.New()
	var s event.Segment
	frames := 0
	for next, err := range src.Records(ctx) {
		if err != nil {
			return rec, err
		}
		if next == nil {
			continue
		}
		if frames++; frames > maxRecording {
			return rec, fmt.Errorf("read recording: more than %d frames", maxRecording)
		}
		switch {
		case next.Call != nil:
			rec.AddCalls(*next.Call)
		case next.Run != nil:
			rec.Run, rec.Expectations = *next.Run, next.Expectations
		case next.Kernel != nil && next.Kernel.KernelEvent != (event.KernelEvent{}):
			rec.Kernel = append(rec.Kernel, next.Kernel.KernelEvent)
		case !next.Journal:
			p := next.Packet
			p.Data = bytes.Clone(p.Data)
			rec.Packets = append(rec.Packets, p)
			if d.Segment(&p, &s) == decode.TCP {
				rec.Segments = append(rec.Segments, s)
			}
		}
	}
	return rec, nil
}

// DropPayload leaves of the packets of rec their headers alone, and of its calls nothing that they carried. Of what is
// no TCP segment by itself, as a fragment, the first headers are left.
func DropPayload(rec *event.Recording) {
	d := decode.New()
	for i := range rec.Packets {
		p := &rec.Packets[i]
		n := headers(d, p)
		p.Data = p.Data[:n:n]
	}
	for _, c := range rec.Calls {
		c.DropPayload()
	}
}

// headers returns how much of a packet comes before its payload.
func headers(d *decode.Decoder, p *event.Packet) int {
	const first = 14 + 20 // Ethernet, IPv4
	var s event.Segment
	if d.Segment(p, &s) == decode.TCP {
		payload := d.Payload()
		if s.Len == 0 || len(payload) == 0 {
			return len(p.Data)
		}
		if n := cap(p.Data) - cap(payload); n >= 0 && n < len(p.Data) && &p.Data[n] == &payload[0] {
			return n
		}
	}
	return min(first, len(p.Data))
}

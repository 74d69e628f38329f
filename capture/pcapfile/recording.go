package pcapfile

import (
	"bytes"
	"fmt"
	"io"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/decode"
)

// maxRecording bounds the frames of what is read into memory as one recording.
const maxRecording = 1 << 20

// WriteRecording writes all of rec, in the order of its one numbering (see event.Recording.Number). comment,
// when set, says what caused a frame; verdict is the run in words.
func WriteRecording(w io.Writer, rec *event.Recording, about Interface, comment func(frame uint64) string, verdict string) error {
	out, err := NewWriter(w, &rec.Run, about)
	if err != nil {
		return err
	}
	packets, calls := rec.Packets, rec.Calls
	for frame := uint64(1); len(packets)+len(calls) > 0; frame++ {
		switch {
		case len(calls) > 0 && uint64(calls[0].ID) == frame:
			err = out.Call(&calls[0])
			calls = calls[1:]
		case len(packets) > 0 && packets[0].Frame == frame:
			p := packets[0]
			if comment != nil {
				p.Comment = comment(frame)
			}
			err = out.Packet(&p)
			packets = packets[1:]
		default:
			err = fmt.Errorf("write recording: frame %d is missing, the numbering has gaps", frame)
		}
		if err != nil {
			return err
		}
	}
	return out.Close(&rec.Run, rec.Expectations, verdict)
}

// ReadRecording reads all that r still has into memory, and decodes it. With an error, also that
// of more than 1,048,576 frames, the recording holds what could be read before it.
func ReadRecording(r *Reader) (*event.Recording, error) {
	rec := &event.Recording{}
	d := decode.New()
	var s event.Segment
	for range maxRecording {
		next, err := r.Next()
		if err == io.EOF {
			return rec, nil
		}
		if err != nil {
			return rec, err
		}
		switch {
		case next.Call != nil:
			rec.Calls = append(rec.Calls, *next.Call)
		case next.Run != nil:
			rec.Run, rec.Expectations = *next.Run, next.Expectations
		case !next.Journal:
			p := next.Packet
			p.Data = bytes.Clone(p.Data)
			rec.Packets = append(rec.Packets, p)
			if d.Segment(&p, &s) == decode.TCP {
				rec.Segments = append(rec.Segments, s)
			}
		}
	}
	return rec, fmt.Errorf("read recording: more than %d frames", maxRecording)
}

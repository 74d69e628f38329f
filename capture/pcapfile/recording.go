package pcapfile

import (
	"fmt"
	"io"

	"github.com/closecap/closecap/analyze/event"
)

// WriteRecording writes all of rec, in the order of its one numbering (see event.Recording.Number), and then what
// the kernel told. comment,
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
			err = out.Call(calls[0])
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
	for _, k := range rec.Kernel { // behind the rows, and so without a number among them
		if err := out.Kernel(&event.KernelEntry{KernelEvent: k}); err != nil {
			return err
		}
	}
	return out.Close(&rec.Run, rec.Expectations, verdict)
}

package closecap

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/pcapfile"
)

// What the kernel told of a run is read again with it. What closecap watch recorded beside it is left out, and said:
// it tells of all connections, whatever network namespace they are of.
func TestKernelsWordRecorded(t *testing.T) {
	r, err := pcapfile.Open([]string{"pcaps/close-unread.pcapng"}, nil, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := intake.ReadRecording(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rec.Segments, func(s event.Segment) bool { return s.Flags.Has(event.RST) })
	if i < 0 {
		t.Fatal("no RST in close-unread")
	}
	s := rec.Segments[i]
	const reason = "the kernel's reason is TCP_ABORT_ON_CLOSE"
	rst := event.KernelEvent{Reset: &event.KernelReset{Time: s.Time, Socket: 7, Local: s.Src, Remote: s.Dst, Reason: "TCP_ABORT_ON_CLOSE", HadFile: true}}
	rec.Kernel = []event.KernelEvent{rst}
	dir := t.TempDir()
	run, watched := filepath.Join(dir, "run.pcapng"), filepath.Join(dir, "watched.pcapng")
	write(t, run, func(f *os.File) error {
		return pcapfile.WriteRecording(f, rec, pcapfile.Interface{Name: "lo"}, nil, "")
	})
	write(t, watched, func(f *os.File) error {
		w, err := pcapfile.NewWriter(f, &rec.Run, pcapfile.Interface{})
		for _, e := range []event.KernelEntry{{Begin: &event.KernelWatch{Time: 1}}, {KernelEvent: rst}} {
			if err == nil {
				err = w.Kernel(&e)
			}
		}
		if err == nil {
			err = w.Close(&rec.Run, nil, "")
		}
		return err
	})
	plain := joined(t, "pcaps/close-unread.pcapng").Connections[0]
	again := joined(t, run).Connections[0]
	if why := again.Reset.Why; !slices.Contains(why, reason) || slices.Contains(plain.Reset.Why, reason) {
		t.Errorf("with the kernel's word %q, without %q", why, plain.Reset.Why)
	}
	if len(again.Segments) != len(plain.Segments) || again.Reset.Frame != plain.Reset.Frame || again.LastFrame != plain.LastFrame {
		t.Errorf("the kernel's word moved frames: RST in %d, %d without", again.Reset.Frame, plain.Reset.Frame)
	}
	res := joined(t, watched, "pcaps/close-unread.pcapng")
	if len(res.Connections) != 1 || slices.Contains(res.Connections[0].Reset.Why, reason) || !strings.Contains(strings.Join(res.Warnings, "\n"), "2 events of closecap watch left out") {
		t.Errorf("beside a recording of watch: %q, warnings %q", res.Connections[0].Reset.Why, res.Warnings)
	}
}

func write(t *testing.T, path string, to func(*os.File) error) {
	t.Helper()
	f, err := os.Create(path)
	if err == nil {
		err = to(f)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A recording has so many events and no more.
func TestKernelsWordBounded(t *testing.T) {
	rec := &event.Recording{Kernel: make([]event.KernelEvent, event.MaxKernel-1)}
	if over := keepKernel(rec, make([]event.KernelEvent, 3)); over != 2 || len(rec.Kernel) != event.MaxKernel {
		t.Errorf("%d left out, %d kept, want 2 and %d", over, len(rec.Kernel), event.MaxKernel)
	}
}

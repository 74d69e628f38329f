package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/pcaps"
)

// TestWatchBesideRun reads a recording of watch and one of run as one, either first: what is left out is
// said.
func TestWatchBesideRun(t *testing.T) {
	var watched bytes.Buffer
	about := &event.Run{Tool: "closecap"}
	w, err := pcapfile.NewWriter(&watched, about, pcapfile.Interface{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []event.KernelEntry{
		{Begin: &event.KernelWatch{Time: 5}}, {Told: &event.KernelTold{Time: 9, End: true}},
	} {
		if err := w.Kernel(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(about, nil, "nothing"); err != nil {
		t.Fatal(err)
	}
	ran, err := pcaps.Recording("close")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		files [2][]byte
		want  string
		code  int
	}{
		"run first":   {[2][]byte{ran, watched.Bytes()}, "2 events of closecap watch left out", exitDone},
		"watch first": {[2][]byte{watched.Bytes(), ran}, "packets or calls in a recording of closecap watch", exitFailed},
	} {
		var out, msg bytes.Buffer
		in := bytes.NewReader(bytes.Join(tt.files[:], nil))
		code := run(t.Context(), []string{"analyze", "-"}, streams{in: in, out: &out, err: &msg})
		if said := out.String() + msg.String(); code != tt.code || !strings.Contains(said, tt.want) {
			t.Errorf("%s: analyze = %d, want %d and %q:\n%s", name, code, tt.code, tt.want, said)
		}
	}
}

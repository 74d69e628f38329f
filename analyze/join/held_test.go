package join

import (
	"os"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// TestHeldByRing holds what the kernel's word on a FIN adds, of a socket that io_uring held or closed.
func TestHeldByRing(t *testing.T) {
	b, err := os.ReadFile("testdata/joins/ring-lets-go.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, events, _ := strings.Cut(string(b), "-- events --\n")
	held, _, _ := strings.Cut(events, "-- want --")
	var lines []string
	for line := range strings.Lines(held) {
		if !strings.HasPrefix(line, "6 ") {
			lines = append(lines, line)
		}
	}
	closed := strings.Join(lines, "")
	by := func(task event.Task) *event.Task { return &task }
	for name, tt := range map[string]struct {
		events string
		fin    *event.Task
		why    string
		sure   analyze.Confidence
	}{
		"a worker of the kernel's":  {held, by(event.Task{PID: 7, Owner: true, Kernel: true}), "probably held it", ""},
		"its own task":              {held, by(event.Task{PID: 100, Owner: true}), "held it, and let it go here", analyze.InKernel},
		"only ran then":             {held, by(event.Task{PID: 100}), "probably held it", ""},
		"closed by io_uring":        {closed, by(event.Task{PID: 100, Comm: "web", Call: "io_uring", Owner: true}), "web[100] ended it through io_uring, whose requests are not recorded", analyze.InKernel},
		"closed by another's close": {closed, by(event.Task{PID: 100, Comm: "web", Call: "close", Owner: true}), "no recorded call ended this side's stream before it", ""},
	} {
		t.Run(name, func(t *testing.T) {
			rec := parseEvents(t, tt.events)
			rec.Kernel = []event.KernelEvent{{Endpoint: &event.Endpoint{
				Socket: 1, Local: storyClient, Remote: storyServer, Fin: tt.fin,
				Steps: []event.Transition{{State: event.SynSent, Time: 1_000_000}, {State: event.Closed, Time: 2_007_000_000}},
			}}}
			for _, s := range Join(rec, analyze.Options{}).Connections[0].Segments {
				if s.Kind == analyze.KindFin && s.From == analyze.Client && (!strings.HasSuffix(s.Root.Why, tt.why) || s.Root.Confidence != tt.sure) {
					t.Errorf("FIN: %q, %q, want %q, %q", s.Root.Why, s.Root.Confidence, tt.why, tt.sure)
				}
			}
		})
	}
}

package report

import (
	"errors"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

func TestEverySegmentStandsInOneRow(t *testing.T) {
	for _, r := range []*analyze.Result{halfClosed(), sentAfterClose(), lostFin(), several(), withoutCalls(transfer())} {
		seen := map[uint64]int{}
		last := 0
		for _, row := range callRows(r) {
			if row.call == nil && len(row.segments) == 0 {
				t.Errorf("%s: a row without call and segments", r.Scenario)
			}
			if row.call != nil && row.call.ID < last {
				t.Errorf("%s: call #%d after #%d", r.Scenario, row.call.ID, last)
			}
			if row.call != nil {
				last = max(last, row.call.ID)
			}
			for _, s := range row.segments {
				seen[s.Frame]++
			}
		}
		for _, c := range r.Connections {
			for _, s := range c.Segments {
				if seen[s.Frame] != 1 {
					t.Errorf("%s: frame %d stands in %d rows, want 1", r.Scenario, s.Frame, seen[s.Frame])
				}
			}
		}
	}
}

func TestOneSegmentOfTwoCallsIsNamedUnderBoth(t *testing.T) {
	r := sentAfterClose()
	r.Calls[7].Caused = []uint64{14}
	got := render(t, Table, r, Options{})
	if want := "(frame 14, also for #13)"; !strings.Contains(got, want) {
		t.Errorf("Write() =\n%s\nwant %q in it", got, want)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errNoSpace }

var errNoSpace = errors.New("no space left on device")

func TestWriteErrorIsReturned(t *testing.T) {
	for _, f := range Formats() {
		for _, r := range []*analyze.Result{halfClosed(), manyConnections(3000), withoutCalls(halfClosed())} {
			if err := Write(fullDisk{}, f, r, Options{}); !errors.Is(err, errNoSpace) {
				t.Errorf("Write(%s) = %v, want %v", f, err, errNoSpace)
			}
		}
	}
}

func TestNothingCaptured(t *testing.T) {
	r := result("")
	r.Kernel = nil
	for f, want := range map[Format]string{Table: "no TCP connection", Markdown: "no TCP connection", CSV: "id,client,", JSON: `"connections": []`, NDJSON: ""} {
		if got := render(t, f, r, Options{}); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("Write(%s) = %q, want %q in it", f, got, want)
		}
	}
}

func TestCallName(t *testing.T) {
	for _, tt := range []struct {
		name, args, text, want string
	}{
		{"shutdown", "SHUT_WR", "", "shutdown(SHUT_WR)"},
		{"send", "12 bytes", "Hello, world", `send("Hello, world")`},
		{"send", `"quoted already"`, "other", `send("quoted already")`},
		{"send", "5000 bytes", strings.Repeat("x", 99), `send("` + strings.Repeat("x", shownText-1) + `…")`},
		{"recv", "65536 bytes", "", "recv()"},
		{"recv", "65536 bytes, MSG_PEEK", "", "recv(MSG_PEEK)"},
		{"recv", "4 bytes", "", "recv(4 bytes)"}, // filled: there may be more to read
		{"exit", "", "", "exit"},
		{"kill", "SIGKILL", "", "kill SIGKILL"},
		{"until", "client TIME_WAIT", "", "until client TIME_WAIT"},
	} {
		c := &analyze.Call{Call: new(event.Call)}
		c.Name, c.Args, c.Text, c.Ret = tt.name, tt.args, tt.text, 4
		if got := callName(c); got != tt.want {
			t.Errorf("callName(%s, %q, %q) = %q, want %q", tt.name, tt.args, tt.text, got, tt.want)
		}
	}
}

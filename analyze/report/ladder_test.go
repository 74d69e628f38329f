package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/terminal"
)

// pictured are the results that every picture is tested with.
func pictured() map[string]*analyze.Result {
	return map[string]*analyze.Result{
		"shutdown-wr": halfClosed(),
		"close":       sentAfterClose(),
		"close-wire":  withoutCalls(sentAfterClose()),
		"lost-fin":    lostFin(),
		"transfer":    transfer(),
		"hostile":     hostile(),
		"several":     several(),
	}
}

func TestLadders(t *testing.T) {
	for name, r := range pictured() {
		for _, width := range []int{80, 140} {
			got := render(t, Ladder, r, Options{Width: width, Box: true})
			checkWidth(t, name, got, width)
			checkGolden(t, fmt.Sprintf("%s-ladder-%d-box.txt", name, width), got)
		}
		got := render(t, Ladder, r, Options{Width: 80})
		checkWidth(t, name, got, 80)
		checkGolden(t, name+"-ladder-80-ascii.txt", got)
		for width := 72; width < 200; width += 7 {
			checkWidth(t, name, render(t, Ladder, r, Options{Width: width, Box: true}), width)
		}
	}
}

func checkWidth(t *testing.T, name, got string, width int) {
	t.Helper()
	for l := range strings.SplitSeq(got, "\n") {
		if w := textWidth(l); w > width {
			t.Errorf("%s at %d columns: line of %d: %s", name, width, w, l)
		}
	}
}

func TestLadderWithoutBoxIsASCII(t *testing.T) {
	for name, r := range pictured() {
		if got := render(t, Ladder, r, Options{Width: 80}); !terminal.IsPlain(strings.ReplaceAll(got, "\n", "")) {
			t.Errorf("%s: not ASCII:\n%s", name, got)
		}
	}
}

func TestLadderUsesTheFullWidth(t *testing.T) {
	for _, width := range []int{100, 140, 180} {
		longest := 0
		d := newDiagram(outlineOf(halfClosed()), halfClosed().Connections[0])
		l := newLadder(&printer{opt: Options{Width: width, Box: true}}, d)
		longest = l.gutter() + l.beside[0] + l.arrow + l.beside[1] + 6
		if longest != width {
			t.Errorf("ladder of %d columns uses %d", width, longest)
		}
	}
}

func TestLadderSaysWhatItDoesNotDraw(t *testing.T) {
	got := render(t, Ladder, manyConnections(CallsShown+3), Options{Width: 80})
	if want := "3 connections not drawn"; !strings.Contains(got, want) {
		t.Errorf("ladder of many connections: no %q in\n%s", want, got)
	}
}

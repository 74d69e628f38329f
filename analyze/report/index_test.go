package report

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/expect"
)

func TestIndexFoldsAtWidth(t *testing.T) {
	var b strings.Builder
	entries := []Entry{{"close", "the client sends and closes at once"}, {"shutdown-wr", "the client stops sending"}}
	if err := WriteIndex(&b, entries, Options{Width: 36}); err != nil {
		t.Fatal(err)
	}
	want := "close        the client sends and\n" +
		"             closes at once\n" +
		"shutdown-wr  the client stops\n" +
		"             sending\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestCheckFoldsAtWidth(t *testing.T) {
	c := &expect.Checked{Judgement: expect.NotHeld, Connections: 1, Rules: []expect.Outcome{{
		Judgement: expect.NotHeld, Rule: "expect ending graceful", Picked: 1, Against: 1,
		Examples: []expect.Example{{Judgement: expect.NotHeld, Connection: 1, FirstFrame: 3, LastFrame: 16, Got: "ending: reset",
			Why: []string{"frame 15 brought data after the client had closed both directions"}}},
	}}}
	var b strings.Builder
	if err := writeCheckText(&b, c, Options{Width: 50}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if textWidth(strings.TrimSuffix(line, "\n")) > 50 {
			t.Errorf("wider than 50 columns: %q", line)
		}
	}
	if !strings.Contains(b.String(), "\n             because: frame 15 ") {
		t.Errorf("the reason does not stand under its connection:\n%s", b.String())
	}
}

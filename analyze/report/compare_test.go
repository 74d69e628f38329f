package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/compare"
)

// comparisonFixture compares a short answer with a long one, one not measured, and a
// scenario whose name and answer are hostile.
func comparisonFixture() *compare.Comparison {
	measured := func(scenario, value, text string, from ...compare.Ref) compare.Answer {
		return compare.Answer{Scenario: scenario, Value: value, Text: text, Basis: compare.Measured, From: from}
	}
	evil := "evil\x1b[31m"
	run := func(name string) compare.Run {
		return compare.Run{Name: name, About: "the peer does " + name}
	}
	return &compare.Comparison{
		Schema: 1, Tool: "closecap", Kernel: &analyze.Kernel{Release: "6.18", Netns: "private"},
		Scenarios: []compare.Subject{
			{Name: "close", Closing: "client close()", Runs: []compare.Run{run(compare.ScenarioRun), run("send")}},
			{Name: "shutdown-wr", Closing: "client shutdown(SHUT_WR)", Runs: []compare.Run{run("send"), run("quiet")}},
			{Name: evil, Runs: []compare.Run{{Name: compare.ScenarioRun, Failed: "no end\nafter 1s"}}},
		},
		Questions: []compare.Question{
			{ID: "sent", Text: "what did the call send?", Answers: []compare.Answer{
				measured("close", "fin", "FIN", compare.Ref{Run: "scenario", Row: 10}, compare.Ref{Run: "scenario", Row: 11}),
				measured("shutdown-wr", "fin", "FIN", compare.Ref{Run: "scenario", Row: 7}),
				{Scenario: evil, Text: "not measured here", Basis: compare.NotMeasured},
			}},
			{ID: "lost-peer", Text: "is what the peer sends lost, and who is told?", Answers: []compare.Answer{
				measured("close", "yes", "lost: 5 bytes, and that send had said success; the next send says EPIPE",
					compare.Ref{Run: "send", Row: 12}, compare.Ref{Run: "send", Row: 14}, compare.Ref{Run: "quiet", Row: 3}),
				measured("shutdown-wr", "no", "nothing is lost", compare.Ref{Run: "send", Row: 13}),
				measured(evil, "no", "\x1b]0;title\x07"),
			}},
		},
		Warnings: []string{evil + ", scenario: no end\nafter 1s"},
	}
}

func TestComparisonTable(t *testing.T) {
	for _, opt := range []Options{{Width: 60}, {Width: 80, Box: true}, {Width: 140, Box: true}} {
		var b bytes.Buffer
		if err := WriteComparison(&b, Table, comparisonFixture(), false, opt); err != nil {
			t.Fatal(err)
		}
		for _, l := range strings.Split(b.String(), "\n") {
			if w := textWidth(l); w > opt.Width {
				t.Errorf("at %d columns: line of %d: %s", opt.Width, w, l)
			}
		}
		if strings.ContainsAny(b.String(), "\x1b\x07") {
			t.Errorf("at %d columns: what was measured reaches the terminal unescaped", opt.Width)
		}
		checkGolden(t, fmt.Sprintf("compare-%d.txt", opt.Width), b.String())
	}
}

func TestComparisonMarkdown(t *testing.T) {
	var b bytes.Buffer
	if err := WriteComparison(&b, Markdown, comparisonFixture(), false, Options{}); err != nil {
		t.Fatal(err)
	}
	checkGolden(t, "compare.md", b.String())
}

func TestComparisonJSON(t *testing.T) {
	var b bytes.Buffer
	if err := WriteComparison(&b, JSON, comparisonFixture(), true, Options{}); err != nil {
		t.Fatal(err)
	}
	got := new(compare.Comparison)
	if err := json.Unmarshal(b.Bytes(), got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(comparisonFixture(), got); d != "" {
		t.Errorf("a comparison does not come back (want -, got +):\n%s", d)
	}
}

package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/explain"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/lab/script"
	"github.com/closecap/closecap/pcaps"
)

// TestTopics shows every topic as it stands on a terminal of 80 columns, with the evidence
// out of the recordings. The evidence of a recording that is there must be found in it.
func TestTopics(t *testing.T) {
	for _, topic := range explain.Topics() {
		t.Run(topic.Name, func(t *testing.T) {
			f := explainFlags{}
			shown, err := f.evidence(t.Context(), topic)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range topic.Evidence {
				if !slices.Contains(pcaps.Names(), e.Scenario) {
					t.Logf("no recording of %s yet", e.Scenario)
				}
			}
			for _, s := range shown {
				if len(s.Calls) == 0 {
					t.Errorf("evidence %s shows nothing", s.Scenario)
				}
			}
			var b bytes.Buffer
			if err := report.WriteTopic(&b, topic, shown, report.Options{Width: 80, Box: true}); err != nil {
				t.Fatal(err)
			}
			for _, s := range shown {
				for _, c := range explain.Filters(s.Result, s.Calls) {
					if want := fmt.Sprintf("#%d %s drop ", c.ID, c.Actor); !strings.Contains(b.String(), want) {
						t.Errorf("evidence %s lacks %q: what an end got can't be told from it", s.Scenario, want)
					}
				}
			}
			if topic.Name == "keepalive-race" && !strings.Contains(b.String(), "client drop FIN") {
				t.Error("the evidence does not say that the client's kernel dropped the FIN")
			}
			lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
			if len(lines) > 45 {
				t.Errorf("%d lines do not fit a screen", len(lines))
			}
			for _, line := range lines {
				if n := len([]rune(line)); n > 80 {
					t.Errorf("%d columns: %s", n, line)
				}
			}
		})
	}
}

func TestScenariosNameTopics(t *testing.T) {
	for _, s := range script.Builtin() {
		if explain.Lookup(s.Explains) == nil {
			t.Errorf("%s explains %q, which is no topic", s.Name, s.Explains)
		}
	}
}

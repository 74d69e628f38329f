package join

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// TestWordsOfExpectations holds what is evaluated to what event.Expectation.Check lets through.
func TestWordsOfExpectations(t *testing.T) {
	words := slices.Sorted(slices.Values(event.SegmentWords))
	if kinds := slices.Sorted(maps.Keys(itemKinds)); !slices.Equal(kinds, words) {
		t.Errorf("kinds of segment %v, event has %v", kinds, words)
	}
	for subject := range subjects {
		e := event.Expectation{Subject: subject}
		if err := e.Check(); err != nil && strings.Contains(err.Error(), "unknown subject") {
			t.Errorf("Check: %v", err)
		}
	}
}

// TestDamagedExpectations joins expectations without arguments, as a forged recording has them:
// each is unmet and says why.
func TestDamagedExpectations(t *testing.T) {
	rec := parseEvents(t, `
1 0.000 10.0.0.1:40000 > 10.0.0.2:80 S seq 100
2 0.001 10.0.0.2:80 > 10.0.0.1:40000 R. ack 101
3 0.000-0.002 client connect() = -1 ECONNREFUSED`)
	for subject := range subjects {
		for _, args := range [][]string{nil, {"client"}, {"", "", " "}, {"client", "x"}} {
			rec.Expectations = append(rec.Expectations, event.Expectation{Subject: subject, Args: args, After: 3, Connection: -1})
		}
	}
	for i, e := range Join(rec, analyze.Options{}).Expectations {
		if e.OK || !strings.Contains(e.Got, "expect ") {
			t.Errorf("%+v: met %v, got %q", rec.Expectations[i], e.OK, e.Got)
		}
	}
}

package join

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/expect"
)

// TestWordsOfExpectations holds what is evaluated to what event.Expectation.Check lets through.
func TestWordsOfExpectations(t *testing.T) {
	for _, subject := range expect.Subjects() {
		e := event.Expectation{Subject: subject}
		if _, ok := ofCalls[subject]; ok == expect.Judges(subject) {
			t.Errorf("%s: judged here %v, want one that judges it", subject, ok)
		}
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
	for _, subject := range expect.Subjects() {
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

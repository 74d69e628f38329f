package report

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// ignorance is what a sentence says of what is not known, and certainty what says how one is known.
var (
	ignorance = regexp.MustCompile(`not known|does not show|^unknown`)
	certainty = regexp.MustCompile(`^(The kernel says so|This is inferred|The cause is inferred)`)
)

// TestSureOfWhatIsSaid makes the verdict of every combination of claims: none is called inferred or the
// kernel's word that says that something is not known, and no call is named beside one that is not.
func TestSureOfWhatIsSaid(t *testing.T) {
	sides := []analyze.Side{analyze.NoSide, analyze.Client, analyze.Server, analyze.Both}
	sures := analyze.Names(analyze.ConfidenceCodes())
	n := 0
	for _, ending := range analyze.Names(analyze.EndingCodes()) {
		for _, closer := range sides {
			for _, sure := range sures {
				for _, cause := range append(analyze.Names(analyze.CauseCodes()), "") {
					for _, causeSure := range sures {
						for call := range 3 {
							c, r := claims(ending, closer, sure, cause, causeSure, call)
							checkSure(t, c, Verdict(r, c))
							n++
						}
					}
				}
			}
		}
	}
	if want := 9 * 4 * 4 * 16 * 4 * 3; n != want {
		t.Errorf("%d combinations, want %d", n, want)
	}
}

// claims makes a connection with those claims. Without a cause it has no reset; of the calls 1 is the
// resetter's own, 2 its peer's.
func claims(ending string, closer analyze.Side, sure, cause, causeSure string, call int) (*analyze.Connection, *analyze.Result) {
	c := connection(1)
	r := result("", c)
	c.Ending, c.Closer, c.Confidence = analyze.Ending(ending), closer, analyze.Confidence(sure)
	if closer == analyze.NoSide {
		c.Candidates = []analyze.Possible{{Claim: analyze.ClaimCloser, Value: "client", Why: "an ACK was not captured"}}
	} else if closer != analyze.Both {
		c.HalfClose = &analyze.HalfClose{By: closer, NS: 42000}
	}
	if cause != "" {
		c.Candidates = append(c.Candidates, analyze.Possible{Claim: analyze.ClaimCause, Value: "middlebox", Why: "a firewall answers so"})
		c.Reset = &analyze.Reset{By: analyze.Server, Frame: 9, Cause: analyze.ResetCause(cause), Confidence: analyze.Confidence(causeSure), Trigger: 8, Call: call}
	}
	r.Calls = []*analyze.Call{
		{Connection: 1, Side: analyze.Server, Call: &event.Call{ID: 1, Actor: "web", Name: "close", FD: 4}},
		{Connection: 1, Side: analyze.Client, Call: &event.Call{ID: 2, Actor: "curl", Name: "send", FD: 3, Ret: 5}},
	}
	return c, r
}

func checkSure(t *testing.T, c *analyze.Connection, verdict string) {
	t.Helper()
	sentences := slices.Collect(strings.SplitSeq(strings.ReplaceAll(verdict, "\n", " "), ". "))
	for i, s := range sentences[1:] {
		if certainty.MatchString(s) && ignorance.MatchString(sentences[i]) {
			t.Errorf("%s, %s, closer %q: %q", c.Ending, c.Confidence, c.Closer, verdict)
		}
	}
	if strings.Contains(verdict, "which call did so is not known") && strings.Contains(verdict, "web close() #1 sent it.") {
		t.Errorf("a call is not known and named: %q", verdict)
	}
	if r := c.Reset; r != nil && strings.Contains(verdict, "The cause may be") != (r.Cause == analyze.UnknownCause) {
		t.Errorf("the cause is %s: %q", r.Cause, verdict)
	}
	if c.Closer == analyze.NoSide && strings.Contains(verdict, "closed first with") {
		t.Errorf("nobody is known to have closed first: %q", verdict)
	}
}

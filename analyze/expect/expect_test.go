package expect

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// TestSegmentWords holds the kinds of segment to those that may stand in a recording.
func TestSegmentWords(t *testing.T) {
	for _, word := range event.SegmentWords {
		if _, ok := itemKinds[word]; !ok {
			t.Errorf("%s is no kind of segment here", word)
		}
	}
	if len(itemKinds) != len(event.SegmentWords) {
		t.Errorf("%d kinds of segment, event has %d", len(itemKinds), len(event.SegmentWords))
	}
}

// TestAnswers asks of connections what the evidence says of them and what it does not.
func TestAnswers(t *testing.T) {
	may := func(claim string, value string) []analyze.Possible {
		return []analyze.Possible{{Claim: claim, Value: value}}
	}
	graceful := analyze.Connection{Ending: analyze.Graceful, Closer: analyze.Client}
	doubtful := analyze.Connection{Ending: analyze.Graceful, CloserSure: analyze.Unknown, Candidates: may(analyze.ClaimCloser, "client")}
	unknown := analyze.Connection{Ending: analyze.UnknownEnding}
	unread := analyze.Connection{Ending: analyze.WasReset, Closer: analyze.Server,
		Reset: &analyze.Reset{By: analyze.Server, Cause: analyze.UnreadData, Lost: analyze.Lost{Unread: 12}}}
	aborted := analyze.Connection{Ending: analyze.WasReset, Reset: &analyze.Reset{By: analyze.Server, Cause: analyze.Aborted}}
	unexplained := analyze.Connection{Ending: analyze.WasReset, Candidates: may(analyze.ClaimCause, "aborted"),
		Reset: &analyze.Reset{By: analyze.Server, Cause: analyze.UnknownCause}}
	uncaptured := analyze.Connection{Ending: analyze.WasReset}
	stray := analyze.Connection{Ending: analyze.UnknownEnding, Reset: &analyze.Reset{By: analyze.Client, Cause: analyze.NoSocket}}
	maybe := analyze.Connection{Ending: analyze.Graceful, Closer: analyze.Client, Lost: &analyze.Lost{MayBe: 7}}
	open := analyze.Connection{Ending: analyze.Open, InFlight: analyze.PerSide{Client: 5}}
	refused := analyze.Connection{Ending: analyze.WasRefused, Reset: &analyze.Reset{By: analyze.Server, Cause: analyze.ConnRefused}}
	shown := analyze.Connection{Ending: analyze.Graceful, Closer: analyze.Client, Segments: []*analyze.Segment{{Kind: analyze.KindFin, From: analyze.Client}}}
	cut := shown
	cut.Omitted = 9
	for _, tt := range []struct {
		c    *analyze.Connection
		rule string
		want Judgement
	}{
		{&graceful, "ending graceful", Held}, {&graceful, "ending reset", NotHeld},
		{&unknown, "ending graceful", Undecided}, {&unknown, "ending unknown", Held}, {&graceful, "ending unknown", NotHeld},
		{&open, "ending graceful", NotHeld}, {&open, "ending open", Held}, {&open, "lost none", Held},
		{&graceful, "closer client", Held}, {&graceful, "closer server", NotHeld}, {&graceful, "closer none", NotHeld},
		{&doubtful, "closer client", Undecided}, {&doubtful, "closer server", Undecided}, {&doubtful, "closer none", Undecided},
		{&unknown, "closer none", Undecided}, {&open, "closer none", Held}, {&open, "closer client", NotHeld},
		{&doubtful, "simultaneous no", Undecided}, {&graceful, "simultaneous no", Held}, {&graceful, "simultaneous yes", NotHeld},
		{&doubtful, "half-close none", Undecided}, {&graceful, "half-close none", Held}, {&graceful, "half-close client", NotHeld},
		{&unread, "reset unread-data", Held}, {&unread, "reset unread-data by server", Held}, {&unread, "reset unread-data by client", NotHeld},
		{&unread, "reset linger-zero", NotHeld}, {&unread, "cause unread-data", Held},
		{&aborted, "reset unread-data", Undecided}, {&aborted, "reset data-after-close", NotHeld}, {&aborted, "reset unread-data by client", NotHeld},
		{&unexplained, "reset aborted", Undecided}, {&unexplained, "reset unknown", Held},
		{&uncaptured, "reset aborted", Undecided}, {&uncaptured, "no-reset", NotHeld}, {&stray, "reset no-socket", Undecided},
		{&graceful, "reset aborted", NotHeld}, {&graceful, "no-reset", Held}, {&unknown, "no-reset", Undecided}, {&refused, "no-reset", NotHeld},
		{&unread, "lost bytes", Held}, {&unread, "lost none", NotHeld}, {&unread, "lost unread 12", Held}, {&unread, "lost unread 13", NotHeld},
		{&unread, "lost unread 10+", Held}, {&unread, "lost unread 13+", NotHeld}, {&unread, "lost bytes 12", Held}, {&unread, "lost bytes 13+", NotHeld},
		{&graceful, "lost bytes", NotHeld}, {&graceful, "lost none", Held},
		{&maybe, "lost bytes", Undecided}, {&maybe, "lost none", Undecided}, {&unknown, "lost none", Undecided}, {&unknown, "lost bytes", Undecided},
		{&shown, "wire client FIN", Held}, {&shown, "wire server FIN", NotHeld}, {&cut, "wire server FIN", Undecided}, {&graceful, "wire client FIN", Undecided},
		{&shown, "no-wire client FIN", NotHeld}, {&shown, "no-wire client RST", Held}, {&cut, "no-wire client RST", Undecided},
		{&graceful, "passed client CLOSE_WAIT", Undecided}, {&graceful, "min-half-close 1s", NotHeld}, {&doubtful, "min-half-close 1s", Undecided},
		{&graceful, "ending open or closer client", Held}, {&unknown, "ending open or reset", Undecided}, {&graceful, "ending open or reset", NotHeld},
		{&unread, "ending graceful or reset unread-data", Held},
	} {
		for quantity, want := range map[string]Judgement{"expect": tt.want, "none": tt.want.not(), "some": tt.want} {
			if got := outcome(t, quantity+" "+tt.rule, Allow{}, "", tt.c); got.Judgement != want {
				t.Errorf("%s of %+v: %v, want %v (%+v)", got.Rule, *tt.c, got.Judgement, want, got)
			}
		}
	}
}

func outcome(t *testing.T, rule string, allow Allow, gap string, cs ...*analyze.Connection) Outcome {
	t.Helper()
	r, err := ParseRule(rule)
	if err != nil {
		t.Fatalf("ParseRule(%q): %v", rule, err)
	}
	k := NewCheck([]Rule{r})
	for _, c := range cs {
		k.Connection(c)
	}
	return k.Result(gap, allow).Rules[0]
}

// TestQuantities adds up connections: one that is against a rule counts more than any that are undecided,
// nothing picked is no pass, and neither is evidence that lacks something.
func TestQuantities(t *testing.T) {
	yes, no := &analyze.Connection{Ending: analyze.Graceful, Closer: analyze.Client}, &analyze.Connection{Ending: analyze.WasReset, Closer: analyze.Client}
	open, other := &analyze.Connection{Ending: analyze.UnknownEnding}, &analyze.Connection{Ending: analyze.Graceful, Closer: analyze.Server}
	type of []*analyze.Connection
	for _, tt := range []struct {
		rule  string
		of    of
		allow Allow
		gap   string
		want  Judgement
	}{
		{"expect ending graceful", of{yes, yes}, Allow{}, "", Held},
		{"expect ending graceful", of{yes, open, no}, Allow{}, "", NotHeld},
		{"expect ending graceful", of{yes, open}, Allow{}, "", Undecided},
		{"expect ending graceful", nil, Allow{}, "", Undecided},
		{"expect ending graceful", nil, Allow{None: true}, "", Held},
		{"expect ending graceful", of{yes}, Allow{}, "lost", Undecided},
		{"expect ending graceful", of{yes}, Allow{Gaps: true}, "lost", Held},
		{"expect ending graceful", of{no}, Allow{}, "lost", NotHeld},
		{"none ending graceful", nil, Allow{}, "", Undecided},
		{"none ending graceful", of{no, open}, Allow{}, "", Undecided},
		{"none ending graceful", of{no, open, yes}, Allow{}, "", NotHeld},
		{"some ending graceful", of{no, open, yes}, Allow{}, "lost", Held},
		{"some ending graceful", of{no, open}, Allow{}, "", Undecided},
		{"some ending graceful", of{no, no}, Allow{}, "", NotHeld},
		{"some ending graceful", of{no, no}, Allow{}, "lost", Undecided},
		{"expect ending graceful where closer client", of{yes, other}, Allow{}, "", Held},
		{"expect ending reset where closer client", of{no, other}, Allow{}, "", Held},
		{"expect ending graceful where closer server", of{no}, Allow{}, "", Undecided},     // nobody is picked
		{"expect ending open where closer client", of{open}, Allow{}, "", Undecided},       // may be meant
		{"none ending graceful where closer client", of{no, open}, Allow{}, "", Undecided}, // the same
		{"some ending unknown where closer client", of{open}, Allow{}, "", Undecided},
		{"expect ending unknown where closer client", of{no, open}, Allow{}, "", NotHeld},
		{"expect ending unknown where closer client", of{open}, Allow{}, "", Undecided}, // it holds, meant or not: nobody is surely picked
	} {
		if got := outcome(t, tt.rule, tt.allow, tt.gap, tt.of...); got.Judgement != tt.want {
			t.Errorf("%s of %d connections, %+v, gap %q: %v, want %v", tt.rule, len(tt.of), tt.allow, tt.gap, got.Judgement, tt.want)
		}
	}
}

func TestExamplesAreBounded(t *testing.T) {
	cs := make([]*analyze.Connection, 1000)
	for i := range cs {
		cs[i] = &analyze.Connection{ID: i + 1, Ending: analyze.WasReset}
	}
	got := outcome(t, "expect ending graceful", Allow{}, "", cs...)
	if got.Against != 1000 || len(got.Examples) != mostExamples || got.Examples[0].Connection != 1 {
		t.Errorf("%d against, %d examples, the first of #%d", got.Against, len(got.Examples), got.Examples[0].Connection)
	}
}

func TestParseRules(t *testing.T) {
	rules, err := ParseRules("r", "# all\nexpect ending graceful # of each\n\n  none lost bytes where port 80 and host 10.0.0.0/8\r\nsome closer client")
	if err != nil || len(rules) != 3 || rules[1].At != "r:4" || rules[0].Text != "expect ending graceful" {
		t.Fatalf("ParseRules: %+v, %v", rules, err)
	}
	_, err = ParseRules("r", "expect ending graceful\nexpct ending open\nexpect endign open\n")
	for _, want := range []string{`r:2: unknown rule "expct": did you mean "expect"?`, `r:3: unknown subject "endign": did you mean "ending"?`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseRules: %v, want %q", err, want)
		}
	}
	for rule, want := range map[string]string{
		"expect": "want a condition", "expect ending": "usage: ending CODE", "expect ending gracefull": `did you mean "graceful"?`,
		"expect ending graceful or": "want a condition", "expect ending graceful where": "want a condition",
		"expect counter X 1": "only a script", "expect caused nothing": "only a script", "expect port 0": "from 1", "expect port 65536": "from 1",
		"expect host nowhere": "want an address", "expect min-half-close 5": "a duration like 5s", "expect lost bytes many": "not a number",
		"expect closer client where prot 80": `did you mean "port"?`, "expect wire FIN": "begins with its side", "": "empty",
	} {
		if _, err := ParseRule(rule); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseRule(%q): %v, want %q", rule, err, want)
		}
	}
}

// TestJudge answers for scripts, whose other subjects package join judges.
func TestJudge(t *testing.T) {
	c := &analyze.Connection{Ending: analyze.Graceful}
	if got, a := Judge(c, "ending", []string{"graceful"}); got != "graceful" || a != Held {
		t.Errorf("Judge: %q, %v", got, a)
	}
	for _, subject := range []string{"counter", "nosuch"} {
		if _, a := Judge(c, subject, []string{"x"}); a != Undecided || Judges(subject) {
			t.Errorf("Judge of %s: %v, want undecided", subject, a)
		}
	}
}

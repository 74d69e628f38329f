package explain

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

const (
	screenColumns = 80
	screenLines   = 45
)

func TestTopicsAreWhole(t *testing.T) {
	files, err := fs.Glob(files, "topics/*"+suffix)
	if err != nil || len(files) != len(order) {
		t.Errorf("%d topic files, %d in the order (%v)", len(files), len(order), err)
	}
	for _, topic := range Topics() {
		evident := len(topic.Evidence) > 0 || topic.Name == "mptcp" // no scenario has a socket of MPTCP
		if topic.Name != "scripts" && topic.Name != "words" && (topic.Authority == "" || !evident || len(topic.See) == 0) {
			t.Errorf("%s: want an authority, evidence, and topics to go on with", topic.Name)
		}
		for _, name := range topic.See {
			if Lookup(name) == nil || name == topic.Name {
				t.Errorf("%s: see %q, which is no other topic", topic.Name, name)
			}
		}
		if n := len("does-close-affect-the-peer  ") + len(topic.Title); n > screenColumns {
			t.Errorf("%s: its line in the list has %d columns", topic.Name, n)
		}
		if len(topic.Text) > screenLines {
			t.Errorf("%s: %d lines do not fit a screen", topic.Name, len(topic.Text))
		}
		for i, line := range topic.Text {
			if n := utf8.RuneCountInString(line); n > screenColumns {
				t.Errorf("%s:%d: %d columns", topic.Name, i+2, n)
			}
			if strings.ContainsAny(line, "\t\x1b") {
				t.Errorf("%s:%d: a tab or a control character", topic.Name, i+2)
			}
		}
	}
}

func TestParse(t *testing.T) {
	got, err := parse("a", "the title\n\none\n\n  two\n\nAuthority: x(2),\n  y(7)\nEvidence: close states\n"+
		"  client close\n  server send = EPIPE\n  server recv = \"a # b\" #2\nEvidence: later\nSee: b, c\n")
	if err != nil {
		t.Fatal(err)
	}
	want := &Topic{
		Name: "a", Title: "the title", Text: []string{"one", "", "  two"}, Authority: "x(2), y(7)",
		Evidence: []Evidence{
			{Scenario: "close", States: true, Rows: []Selector{
				{Actor: "client", Call: "close", Nth: 1},
				{Actor: "server", Call: "send", Outcome: "EPIPE", Nth: 1},
				{Actor: "server", Call: "recv", Outcome: `"a # b"`, Nth: 2},
			}},
			{Scenario: "later"},
		},
		See: []string{"b", "c"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Parse: want -, got +\n%s", d)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, src := range []string{
		"", "only a title", "t\n\ntext\n\nEvidence: close\n  client\n", "t\n\ntext\n\nEvidence: close often\n",
		"t\n\ntext\n\nEvidence: close\n  client close #0\n", "t\n\ntext\n\nSee: a\nmore text\n", "t\n\ntext\n\nSee: a\n  b\n",
	} {
		if got, err := parse("bad", src); err == nil {
			t.Errorf("parse(%q) = %+v, want an error", src, got)
		}
	}
}

func TestFind(t *testing.T) {
	call := func(id int, actor, name, errno string, ret int64) *analyze.Call {
		return &analyze.Call{Call: &event.Call{ID: id, Actor: actor, Name: name, Errno: errno, Ret: ret, End: 1}, Connection: 1}
	}
	res := &analyze.Result{Calls: []*analyze.Call{
		call(1, "server", "send", "", 5), call(2, "client", "close", "", 0), call(3, "server", "recv", "", 0),
		call(4, "server", "send", "EPIPE", -1), call(5, "server", "send", "EPIPE", -1),
	}}
	for sel, want := range map[string]int{
		"server send": 1, "server send #2": 4, "server send = EPIPE": 4, "server send = EPIPE #2": 5,
		"server recv = EOF": 3, "server send = EPIPE #3": 0, "client send": 0,
	} {
		s, err := parseSelector(sel)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		if c := s.find(res); c != nil {
			got = c.ID
		}
		if got != want {
			t.Errorf("find(%s) = #%d, want #%d", sel, got, want)
		}
		if s.String() != sel {
			t.Errorf("String() = %q, want %q", s, sel)
		}
	}
	calls, err := Evidence{Scenario: "x"}.Calls(res)
	var ids []int
	for _, c := range calls {
		ids = append(ids, c.ID)
	}
	if err != nil || !slices.Equal(ids, []int{2, 3, 4}) {
		t.Errorf("calls that tell: %v, %v, want 2 to 4", ids, err)
	}
	_, err = Evidence{Scenario: "x", Rows: []Selector{{Actor: "client", Call: "send", Nth: 1}}}.Calls(res)
	if err == nil || !strings.Contains(err.Error(), "no call client send") {
		t.Errorf("missing evidence: %v, want its selector named", err)
	}
}

// TestTopicOf finds the topic of what people ask for; every word leads to one that there is.
func TestTopicOf(t *testing.T) {
	for word, want := range map[string]string{
		"fin": "fin-ordering", "EPIPE": "econnreset-vs-epipe", "close()": "close-vs-shutdown", "TIME_WAIT": "time-wait", "unread-data": "reset",
		"half-closed": "close-wait", "nothing": "", "1006": "websocket-close", "eof": "end-of-file-by-fin", "ENHANCE_YOUR_CALM": "goaway",
		"idle_close": "keepalive-race", "426": "end-of-file-by-fin", "unanswered": "words", "steady": "words", "SYN_SENT": "words",
	} {
		if got := TopicOf(word); got != want {
			t.Errorf("TopicOf(%q) = %q, want %q", word, got, want)
		}
	}
	for word, topic := range words {
		if Lookup(topic) == nil {
			t.Errorf("%s: no topic %q", word, topic)
		}
		if Lookup(word) != nil {
			t.Errorf("%s is a topic itself", word)
		}
	}
}

package script

import (
	"strings"
	"testing"
)

func TestBuiltinScenariosSayWhatTheyShow(t *testing.T) {
	all := Builtin()
	if len(all) < 12 {
		t.Fatalf("Builtin() = %d scenarios, want 12 at least", len(all))
	}
	for _, s := range all {
		if !strings.HasPrefix(string(s.Source), "# "+s.Name+": ") {
			t.Errorf("%s: the first line is not %q", s.Name, "# "+s.Name+": …")
		}
		if s.Title == "" || s.About == "" || len(s.Remember) == 0 || s.Explains == "" {
			t.Errorf("%s: title %q, about %q, remember %q, explains %q", s.Name, s.Title, s.About, s.Remember, s.Explains)
		}
		subjects := make(map[string]bool)
		for _, st := range s.Steps {
			subjects[st.Expect.Subject] = true
		}
		for _, want := range []string{"ending", "closer", "time-wait", "wire", "caused"} {
			if !subjects[want] {
				t.Errorf("%s expects nothing of %s", s.Name, want)
			}
		}
	}
}

func TestLookupNamesTheNearest(t *testing.T) {
	if s, err := Lookup("time-wait"); err != nil || s.Name != "time-wait" {
		t.Errorf("Lookup(time-wait) = %v, %v", s, err)
	}
	_, err := Lookup("shutdwn-wr")
	if want := `unknown scenario "shutdwn-wr": did you mean "shutdown-wr"?`; err == nil || err.Error() != want {
		t.Errorf("Lookup(shutdwn-wr) = %v, want %v", err, want)
	}
}

func TestReferenceSpeaksOfEveryWord(t *testing.T) {
	var text strings.Builder
	for _, w := range Reference() {
		text.WriteString(w.Usage + "\n")
	}
	for _, v := range Verbs {
		if !strings.Contains(text.String(), "ACTOR "+v.Name) {
			t.Errorf("the reference lacks %s", v.Name)
		}
	}
	for _, d := range Directives {
		if !strings.Contains(text.String(), d.Name+" ") {
			t.Errorf("the reference lacks %s", d.Name)
		}
	}
}

package report

import (
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/closecap/closecap/analyze"
)

func TestSafe(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", ""},
		{"plain text", "plain text"},
		{"naïve 漢字 😀", "naïve 漢字 😀"},
		{"\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
		{"\x1b]0;title\x07", `\x1b]0;title\x07`},
		{"a\nb\r\tc", `a\nb\r\tc`},
		{"\x00\x7f", `\x00\x7f`},
		{"\u0085\u009b31m", `\u0085\u009b31m`},
		{"\xff\xfeok", `\xff\xfeok`},
		{"\ufffd is a character too", "\ufffd is a character too"},
		{"abc\u202egnp", `abc\u202egnp`},
		{"\u2066\u2069\u200e\u200f\u061c", `\u2066\u2069\u200e\u200f\u061c`},
		{"\u200b\ufeff\u2028\u2029", `\u200b\ufeff\u2028\u2029`},
		{"\U000e0041", `\U000e0041`},
		{"a\u00a0b", `a\u00a0b`},
	} {
		if got := Safe(tt.in); got != tt.want {
			t.Errorf("Safe(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func FuzzSafe(f *testing.F) {
	f.Add("\x1b[2J\u202e\xff\n")
	f.Fuzz(func(t *testing.T, s string) {
		got := Safe(s)
		if at := unsafeAt(got); at >= 0 {
			t.Errorf("Safe(%q) = %q, unsafe at %d", s, got, at)
		}
		if again := Safe(got); again != got {
			t.Errorf("Safe(Safe(%q)) = %q, want %q", s, again, got)
		}
	})
}

// unsafeAt returns where s could do something to a terminal, -1 when nowhere.
func unsafeAt(s string) int {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			return i
		}
		i += n
	}
	return -1
}

func TestHostileBytesReachNoTerminal(t *testing.T) {
	for _, format := range []Format{Table, Markdown, CSV} {
		for _, opt := range []Options{{}, {Width: 60, Box: true}, {Width: 120}, {Width: 80, Summary: true}} {
			got := render(t, format, hostile(), opt)
			if at := unsafeAt(strings.ReplaceAll(got, "\n", "")); at >= 0 {
				t.Errorf("%s %+v: unsafe at %d in %q", format, opt, at, got)
			}
		}
	}
	if v := Verdict(hostile(), hostile().Connections[0]); unsafeAt(strings.ReplaceAll(v, "\n", "")) >= 0 {
		t.Errorf("Verdict() = %q, want no control characters", v)
	}
}

func TestCSVReadsBackAndHoldsNoFormula(t *testing.T) {
	r := hostile()
	r.Connections[0].Closer, r.Connections[0].Ending = "=SUM(A1)", "@x,\"y\"\n"
	rows, err := csv.NewReader(strings.NewReader(render(t, CSV, r, Options{}))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2 || len(rows[1]) != len(csvColumns) {
		t.Fatalf("CSV = %d rows, want a heading and a row of %d columns", len(rows), len(csvColumns))
	}
	for i, field := range rows[1] {
		if field != "" && strings.ContainsRune("=+-@\t\r", rune(field[0])) {
			t.Errorf("column %s = %q, which a spreadsheet takes for a formula", rows[0][i], field)
		}
	}
}

func TestMarkdownCellsStayInTheirTable(t *testing.T) {
	got := render(t, Markdown, hostile(), Options{})
	columns := 0
	for l := range strings.SplitSeq(got, "\n") {
		if !strings.HasPrefix(l, "|") {
			continue
		}
		n := strings.Count(strings.ReplaceAll(l, `\|`, ""), "|")
		if columns == 0 {
			columns = n
		}
		if n != columns {
			t.Errorf("row has %d bars, want %d: %s", n, columns, l)
		}
	}
	if strings.Contains(got, "<script") {
		t.Errorf("Markdown holds HTML:\n%s", got)
	}
}

func TestHugeTextIsCut(t *testing.T) {
	r := sentAfterClose()
	huge := strings.Repeat("long \x1b漢", 1<<13)
	r.Calls[0].Args, r.Calls[1].Explain, r.Calls[2].Text, r.Calls[3].Actor = huge, huge, huge, huge
	r.Connections[0].Warnings, r.Scenario = []string{huge}, huge
	for _, opt := range []Options{{}, {Width: 80}, {Width: 160, Box: true}} {
		if got := render(t, Table, r, opt); len(got) > 1<<18 {
			t.Errorf("Write() at %d columns = %d bytes, want what a person can read", opt.Width, len(got))
		}
	}
}

// TestJSONShowsNothingUnseen writes what encoding/json lets through, and reads it back.
func TestJSONShowsNothingUnseen(t *testing.T) {
	r := sentAfterClose()
	const unseen = "\x7f\u009b2J\u202egnp.exe\u2066é漢"
	r.Calls[0].Text = unseen
	got := render(t, JSON, r, Options{})
	if i := strings.IndexFunc(got, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("JSON holds %q", got[i:i+8])
	}
	var back analyze.Result
	if err := json.Unmarshal([]byte(got), &back); err != nil {
		t.Fatal(err)
	}
	if back.Calls[0].Text != unseen {
		t.Errorf("JSON reads back as %q, want %q", back.Calls[0].Text, unseen)
	}
}

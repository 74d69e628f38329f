package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
)

// doubtful are connections of which something is not certain, or not known.
func doubtful() []*analyze.Connection {
	list := manyConnections(16).Connections
	withheld := connection(17)
	withheld.Ending, withheld.Confidence = analyze.WasReset, analyze.Inferred
	withheld.Closer, withheld.CloserSure = analyze.NoSide, analyze.Unknown
	withheld.Candidates = []analyze.Possible{
		{Claim: analyze.ClaimCloser, Value: "client", Why: "the other direction was not captured"},
		{Claim: analyze.ClaimCause, Value: "unread-data"}, {Claim: analyze.ClaimCause, Value: "linger-zero"},
	}
	withheld.Reset = &analyze.Reset{By: analyze.Client, Cause: analyze.Aborted, Confidence: analyze.Inferred}
	withheld.Warnings = []string{"one", "two"}
	maybe := connection(18)
	maybe.CloserSure, maybe.Warnings = analyze.Inferred, []string{"one"}
	unknown := connection(19)
	unknown.Ending, unknown.Confidence, unknown.Closer = analyze.UnknownEnding, analyze.Unknown, analyze.NoSide
	unknown.Reset = &analyze.Reset{By: analyze.Server, Cause: analyze.UnknownCause, Confidence: analyze.Unknown}
	return append(list, withheld, maybe, unknown)
}

// facts are what each form of the list says of a connection, in the words that people read.
func facts(c *analyze.Connection) []string {
	ending := string(c.Ending)
	if c.Confidence == analyze.Inferred {
		ending += "?"
	}
	if c.Ending == analyze.WasReset {
		ending += " by " + string(c.Reset.By)
	}
	list := []string{ending}
	if c.Closer != "" && c.CloserSure == analyze.Inferred {
		list = append(list, string(c.Closer)+"?")
	}
	if c.Closer == analyze.Client || c.Closer == analyze.Server {
		list = append(list, string(c.Closer))
	}
	if c.Simultaneous {
		list = append(list, "both at once")
	}
	if c.Reset != nil && c.Ending != analyze.WasRefused {
		cause := string(c.Reset.Cause)
		if c.Reset.Confidence == analyze.Inferred {
			cause += "?"
		}
		list = append(list, cause)
	}
	for _, p := range c.Candidates {
		list = append(list, p.Value, "maybe ")
	}
	return list
}

// All forms of the list say the same of a connection: every layout of the table and of Markdown, and
// the page; CSV says it in codes.
func TestListFormsAgree(t *testing.T) {
	for _, c := range doubtful() {
		forms := map[string]string{}
		for i, l := range listLayouts {
			var cells []string
			for _, one := range l.row(c, nil) {
				for _, line := range one {
					cells = append(cells, line.text)
				}
			}
			forms[fmt.Sprint("layout ", i)] = strings.Join(cells, " | ")
			if n := len(c.Warnings); n > 0 && i > int(whole) {
				if words := count(uint64(n), "warning"); !strings.Contains(forms[fmt.Sprint("layout ", i)], words) {
					t.Errorf("connection %d, layout %d: %q lacks %q", c.ID, i, forms[fmt.Sprint("layout ", i)], words)
				}
			}
		}
		forms["markdown"] = markdownRow(listLayouts[whole].row(c, nil))
		forms["page"] = fmt.Sprint(pageRow(c, c.Start))
		for name, got := range forms {
			for _, want := range facts(c) {
				if !strings.Contains(got, want) {
					t.Errorf("connection %d, %s: %q lacks %q", c.ID, name, got, want)
				}
			}
		}
		checkCodes(t, c)
	}
}

// checkCodes looks for the facts that are words elsewhere in the columns of CSV.
func checkCodes(t *testing.T, c *analyze.Connection) {
	t.Helper()
	names, values := strings.Split(strings.TrimSpace(csvHeading()), ","), strings.Split(strings.TrimSpace(string(appendCSV(nil, c))), ",")
	got := map[string]string{}
	for i, name := range names {
		got[name] = values[i]
	}
	want := map[string]string{"ending": string(c.Ending), "closer": string(c.Closer), "confidence": string(c.Confidence),
		"closer_confidence": string(c.CloserSure), "warnings": strings.Join(c.Warnings, "; ")}
	for _, p := range c.Candidates {
		name := p.Claim + "_candidates"
		want[name] = strings.TrimSpace(want[name] + " " + p.Value)
	}
	if c.Reset != nil {
		want["reset_by"], want["reset_cause"], want["reset_confidence"] = string(c.Reset.By), string(c.Reset.Cause), string(c.Reset.Confidence)
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("connection %d: CSV's %s is %q, want %q", c.ID, name, got[name], value)
		}
	}
}

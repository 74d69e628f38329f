package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze"
)

// verdicts writes the verdict of each connection, its warnings under it.
func (p *printer) verdicts(r *analyze.Result) error {
	o := outlineOf(r)
	for _, c := range r.Connections {
		prefix := ""
		if len(r.Connections) > 1 {
			prefix = fmt.Sprintf("conn %d: ", c.ID)
		}
		if err := p.verdict(o, c, prefix); err != nil {
			return err
		}
	}
	return nil
}

func (p *printer) verdict(o *outline, c *analyze.Connection, prefix string) error {
	for i, s := range strings.Split(o.verdict(c, p.opt.Zone), "\n") {
		l := line{text: prefix + s, style: endingStyle(c.Ending), hang: 2}
		if i > 0 {
			l = line{text: "  " + s, hang: 4}
		}
		if strings.HasPrefix(s, "Evidence: ") {
			l.style = dim
		}
		if err := p.print(l); err != nil {
			return err
		}
	}
	return p.warnings(c.Warnings)
}

func endingStyle(e analyze.Ending) style {
	switch e {
	case analyze.Graceful:
		return good
	case analyze.WasReset, analyze.WasRefused, analyze.Unanswered:
		return bad
	}
	return warn
}

// footer writes what stands under the verdicts: what to remember, which expectations
// failed, where to read on, and what makes the result doubtful.
func (p *printer) footer(r *analyze.Result) error {
	var lines []line
	for _, s := range r.Remember {
		lines = append(lines, line{text: "remember: " + Safe(s), style: bold, hang: len("remember: ")})
	}
	for _, e := range r.Expectations {
		if e.OK {
			continue
		}
		lines = append(lines,
			line{text: fmt.Sprintf("expected: %s (%s)", Safe(e.Text), Safe(e.At)), style: bad, hang: len("expected: ")},
			line{text: "seen:     " + Safe(e.Got), style: bad, hang: len("expected: ")})
	}
	if len(r.Expectations) > 0 && !slices.ContainsFunc(r.Expectations, func(e analyze.Expectation) bool { return !e.OK }) {
		lines = append(lines, line{text: fmt.Sprintf("as expected: %d of %[1]d", len(r.Expectations)), style: dim})
	}
	if r.Explains != "" {
		lines = append(lines, line{text: "more: closecap explain " + Safe(r.Explains), style: dim, hang: 2})
	}
	for _, l := range lines {
		if err := p.print(l); err != nil {
			return err
		}
	}
	return p.warnings(Warnings(r))
}

// Warnings returns the result's warnings and those that its own numbers give: what every
// format but NDJSON and CSV shows itself.
func Warnings(r *analyze.Result) []string {
	warnings := r.Warnings
	if r.Capture.Unattributed > 0 {
		warnings = append(warnings[:len(warnings):len(warnings)],
			count(r.Capture.Unattributed, "segment")+" of unknown cause")
	}
	if r.Capture.Evicted > 0 {
		warnings = append(warnings[:len(warnings):len(warnings)],
			count(r.Capture.Evicted, "connection")+" given up to bound the memory (--max-memory, --max-connections)")
	}
	if r.Capture.Hurried > 0 {
		warnings = append(warnings[:len(warnings):len(warnings)],
			count(r.Capture.Hurried, "connection")+" judged before their TIME_WAIT was over, to bound the memory: what came of them after that is not told (--max-memory 1G lets them wait)")
	}
	return warnings
}

func (p *printer) warnings(warnings []string) error {
	for _, s := range warnings {
		if err := p.print(line{text: "warning: " + Safe(s), style: warn, hang: len("warning: ")}); err != nil {
			return err
		}
	}
	return nil
}

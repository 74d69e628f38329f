package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/closecap/closecap/analyze/expect"
	"github.com/closecap/closecap/analyze/suggest"
)

// checkForm is a form of what came of a check. A new one is a row in checkForms.
type checkForm struct {
	name, about string
	write       func(io.Writer, *expect.Checked, Options) error
}

var checkForms = []checkForm{
	{"text", "for people", writeCheckText},
	{"tap", "Test Anything Protocol 13, for prove and others", writeCheckTAP},
	{"junit", "JUnit's XML, for CI servers", writeCheckJUnit},
	{"github", "annotations of GitHub's workflows", writeCheckGitHub},
	{"json", "one document", func(w io.Writer, c *expect.Checked, _ Options) error { return writeJSON(w, "  ", c) }},
}

// CheckFormats lists the forms of a check, each with what it is in a few words.
func CheckFormats() (names, abouts []string) {
	for _, f := range checkForms {
		names, abouts = append(names, f.name), append(abouts, f.about)
	}
	return names, abouts
}

// CheckWriter returns what writes a check in the form of that name. The error names the nearest.
func CheckWriter(name string) (func(io.Writer, *expect.Checked, Options) error, error) {
	for _, f := range checkForms {
		if f.name == name {
			return f.write, nil
		}
	}
	names, _ := CheckFormats()
	return nil, suggest.Unknown("format", name, names)
}

// answerWords are the answers as people read them.
var answerWords = map[expect.Judgement]string{
	expect.Held: "held", expect.NotHeld: "not held", expect.Undecided: "undecided",
}

// writeCheckText writes a line for each rule, with the connections that it names below it, folded to opt.Width.
func writeCheckText(w io.Writer, c *expect.Checked, opt Options) error {
	var b strings.Builder
	say := func(line string, hang int) {
		b.WriteString(strings.Join(wrapText(line, opt.Width, hang), "\n") + "\n")
	}
	const margin = len("undecided  ")
	for i := range c.Rules {
		o := &c.Rules[i]
		say(fmt.Sprintf("%-9s  %s%s: %s", answerWords[o.Judgement], where(o), Safe(o.Rule), outcomeSum(o)), margin)
		for _, line := range exampleLines(o) {
			say(strings.Repeat(" ", margin)+line, margin+2+indentOf(line))
		}
	}
	for _, warning := range c.Warnings {
		say("warning: "+Safe(warning), 2)
	}
	say(checkSum(c), 2)
	_, err := io.WriteString(w, b.String())
	return err
}

func where(o *expect.Outcome) string {
	if o.At == "" {
		return ""
	}
	return Safe(o.At) + ": "
}

// checkSum is the whole in a line.
func checkSum(c *expect.Checked) string {
	n := map[expect.Judgement]int{}
	for i := range c.Rules {
		n[c.Rules[i].Judgement]++
	}
	return fmt.Sprintf("%s: %s of %s: %d held, %d not held, %d undecided", answerWords[c.Judgement],
		count(uint64(len(c.Rules)), "rule"), count(c.Connections, "connection"), n[expect.Held], n[expect.NotHeld], n[expect.Undecided])
}

// outcomeSum says of how many connections a rule holds.
func outcomeSum(o *expect.Outcome) string {
	var parts []string
	if o.Picked > 0 {
		parts = append(parts, count(o.Picked, "connection"))
	}
	if o.Against > 0 {
		parts = append(parts, grouped(o.Against)+" against it")
	}
	if o.Undecided > 0 {
		parts = append(parts, grouped(o.Undecided)+" undecided")
	}
	if o.Why != "" {
		parts = append(parts, Safe(o.Why))
	}
	return strings.Join(parts, ", ")
}

// exampleLines are the connections that an outcome names, each with what was seen of it and why.
func exampleLines(o *expect.Outcome) []string {
	var lines []string
	for i := range o.Examples {
		e := &o.Examples[i]
		lines = append(lines, exampleLine(e))
		for _, why := range e.Why {
			lines = append(lines, "  because: "+Safe(why))
		}
	}
	if more := o.Against + o.Undecided - uint64(len(o.Examples)); more > 0 {
		lines = append(lines, fmt.Sprintf("and %s", count(more, "more connection")))
	}
	return lines
}

func exampleLine(e *expect.Example) string {
	undecided := ""
	if e.Judgement == expect.Undecided {
		undecided = " (undecided)"
	}
	frames := ""
	if e.FirstFrame > 0 {
		frames = fmt.Sprintf(", frames %d to %d", e.FirstFrame, e.LastFrame)
	}
	return fmt.Sprintf("#%d %s -> %s%s: %s%s", e.Connection, e.Client, e.Server, frames, Safe(e.Got), undecided)
}

// details is all that is said of an outcome that does not hold, a line each.
func details(o *expect.Outcome) []string { return append([]string{outcomeSum(o)}, exampleLines(o)...) }

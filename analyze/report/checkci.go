package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/closecap/closecap/analyze/expect"
)

// writeCheckTAP writes a test for each rule. What is undecided did not pass; its block of YAML says so.
// Version 13 (https://testanything.org/tap-version-13-specification.html) is what most consumers read.
func writeCheckTAP(w io.Writer, c *expect.Checked, _ Options) error {
	var b strings.Builder
	fmt.Fprintf(&b, "TAP version 13\n1..%d\n", len(c.Rules))
	for i := range c.Rules {
		o := &c.Rules[i]
		ok := "ok"
		if o.Judgement != expect.Held {
			ok = "not ok"
		}
		// A # begins a directive there.
		fmt.Fprintf(&b, "%s %d - %s\n", ok, i+1, strings.ReplaceAll(where(o)+Safe(o.Rule), "#", `\#`))
		if o.Judgement != expect.Held {
			fmt.Fprintf(&b, "  ---\n  judgement: %s\n  found:\n", o.Judgement)
			for _, line := range details(o) {
				fmt.Fprintf(&b, "    - '%s'\n", strings.ReplaceAll(line, "'", "''"))
			}
			b.WriteString("  ...\n")
		}
	}
	for _, warning := range c.Warnings {
		fmt.Fprintf(&b, "# warning: %s\n", Safe(warning))
	}
	fmt.Fprintf(&b, "# %s\n", checkSum(c))
	_, err := io.WriteString(w, b.String())
	return err
}

// JUnit's XML, as Jenkins and GitLab read it: what did not hold is a failure, what could not be decided
// an error, as of a test that could not be made.
type (
	junitSuites struct {
		XMLName  xml.Name `xml:"testsuites"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Errors   int      `xml:"errors,attr"`
		Suite    junitSuite
	}
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Cases    []junitCase `xml:"testcase"`
		Out      string      `xml:"system-out,omitempty"`
	}
	junitCase struct {
		Class   string     `xml:"classname,attr"`
		Name    string     `xml:"name,attr"`
		Failure *junitText `xml:"failure"`
		Error   *junitText `xml:"error"`
	}
	junitText struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

func writeCheckJUnit(w io.Writer, c *expect.Checked, _ Options) error {
	suite := junitSuite{Name: Safe(c.Source), Tests: len(c.Rules)}
	for i := range c.Rules {
		o := &c.Rules[i]
		one := junitCase{Class: "closecap", Name: where(o) + Safe(o.Rule)}
		text := &junitText{Message: outcomeSum(o), Type: string(o.Judgement), Text: strings.Join(details(o), "\n")}
		switch o.Judgement {
		case expect.NotHeld:
			one.Failure = text
			suite.Failures++
		case expect.Undecided:
			one.Error = text
			suite.Errors++
		}
		suite.Cases = append(suite.Cases, one)
	}
	for _, warning := range c.Warnings {
		suite.Out += "warning: " + Safe(warning) + "\n"
	}
	all := junitSuites{Name: "closecap check", Tests: suite.Tests, Failures: suite.Failures, Errors: suite.Errors, Suite: suite}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// Escapes of workflow commands (actions/toolkit, packages/core/src/command.ts).
var (
	githubText     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// writeCheckGitHub writes an annotation for each rule that does not hold, at its line where it has one.
func writeCheckGitHub(w io.Writer, c *expect.Checked, _ Options) error {
	var b strings.Builder
	for i := range c.Rules {
		o := &c.Rules[i]
		if o.Judgement == expect.Held {
			continue
		}
		place := ""
		if n := strings.LastIndexByte(o.At, ':'); n >= 0 {
			place = "file=" + githubProperty.Replace(Safe(o.At[:n])) + ",line=" + o.At[n+1:] + ","
		}
		title := fmt.Sprintf("%s: %s", answerWords[o.Judgement], Safe(o.Rule))
		fmt.Fprintf(&b, "::error %stitle=%s::%s\n", place, githubProperty.Replace(title), githubText.Replace(strings.Join(details(o), "\n")))
	}
	for _, warning := range c.Warnings {
		fmt.Fprintf(&b, "::warning title=closecap check::%s\n", githubText.Replace(Safe(warning)))
	}
	fmt.Fprintln(&b, checkSum(c))
	_, err := io.WriteString(w, b.String())
	return err
}

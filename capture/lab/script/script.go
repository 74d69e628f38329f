package script

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze/expect"
	"github.com/closecap/closecap/analyze/suggest"
)

// Script is a scenario that was read and found to be sound.
type Script struct {
	Name     string   // "shutdown-wr"
	Title    string   // the first line of its comment, without the name
	About    string   // the rest of its comment: what it shows and why that matters
	Remember []string // what to take away
	Use      string   // when to end a connection like this, "" where the script does not say
	Explains string   // topic of `closecap explain`, "" without one

	// NeedsPrivate says that it uses sysctl or drop, which work in the private namespace only.
	NeedsPrivate bool

	Source []byte

	Steps  []Step   // in order; shared, so run clones
	Actors []string // those that exist from the start; client and server come first

	file string // its name as Parse was told
}

// Parse reads a script. name is the file's name in errors and in the places of calls; without
// its directory and extension it is the scenario's name. All errors are reported, each as
// "file:line: what".
func Parse(name string, src []byte) (*Script, error) {
	s := &Script{
		Name:   strings.TrimSuffix(path.Base(strings.ReplaceAll(name, `\`, "/")), ".close"),
		Source: src,
		file:   name,
	}
	lines := strings.Split(strings.ReplaceAll(string(src), "\r\n", "\n"), "\n")
	s.readHeader(lines)
	p := parser{script: s, scope: newScope()}
	for i, line := range lines {
		p.line(i+1, line)
	}
	s.Actors = p.scope.initial
	if len(p.errs) == 0 && len(s.Steps) == 0 {
		p.errs = append(p.errs, fmt.Errorf("%s:1: the script has no line that does anything", name))
	}
	if len(p.errs) > 0 {
		return nil, Error(p.errs)
	}
	return s, nil
}

// Error holds everything that is wrong with a script, in the order of its lines.
type Error []error

// Error returns one line an error.
func (e Error) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the single errors.
func (e Error) Unwrap() []error { return e }

// readHeader takes the leading comment apart: "# name: title", paragraphs, "# Remember: …",
// "# Use: …" and "# Explains: topic" lines. A paragraph goes on until a bare "#".
func (s *Script) readHeader(lines []string) {
	var paragraphs [][]string
	fresh := true
	for i, line := range lines {
		text, isComment := strings.CutPrefix(line, "#")
		if !isComment {
			break
		}
		text = strings.TrimSpace(text)
		if i == 0 {
			_, title, named := strings.Cut(text, ": ")
			if !named {
				title = text
			}
			s.Title = strings.TrimSuffix(title, ".")
			continue
		}
		if text == "" {
			fresh = true
			continue
		}
		if fresh || hasHead(text) {
			paragraphs = append(paragraphs, nil)
			fresh = false
		}
		last := len(paragraphs) - 1
		paragraphs[last] = append(paragraphs[last], text)
	}
	var about []string
	for _, p := range paragraphs {
		text := strings.Join(p, " ")
		if r, ok := strings.CutPrefix(text, "Remember: "); ok {
			s.Remember = append(s.Remember, r)
		} else if use, ok := strings.CutPrefix(text, "Use: "); ok {
			s.Use = use
		} else if topic, ok := strings.CutPrefix(text, "Explains: "); ok {
			s.Explains = topic
		} else {
			about = append(about, text)
		}
	}
	s.About = strings.Join(about, "\n\n")
}

// hasHead reports whether the text begins what is more than a paragraph.
func hasHead(text string) bool {
	return strings.HasPrefix(text, "Remember: ") || strings.HasPrefix(text, "Use: ") || strings.HasPrefix(text, "Explains: ")
}

type parser struct {
	script *Script
	scope  *scope
	errs   []error
}

func (p *parser) line(number int, line string) {
	at := fmt.Sprintf("%s:%d", p.script.file, number)
	st, err := p.step(at, line)
	if err != nil {
		p.errs = append(p.errs, fmt.Errorf("%s: %w", at, err))
	} else if st != nil {
		p.script.Steps = append(p.script.Steps, *st)
	}
}

// Step reads one line; nil for a line that says nothing.
func (p *parser) step(at, line string) (*Step, error) {
	words, outcome, err := lexLine(line)
	if err != nil || len(words) == 0 && outcome == nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, fmt.Errorf("an outcome without a call")
	}
	base := Step{At: at, Text: strings.TrimSpace(line)}
	if outcome != nil {
		if base.Want, err = parseOutcome(outcome[0]); err != nil {
			return nil, err
		}
	}
	if d := findDirective(words[0].text); d != nil && !words[0].quoted {
		if outcome != nil {
			return nil, fmt.Errorf("%s has no outcome", d.Name)
		}
		return p.together(base, words, 1, func(st *Step, w []token) error { return p.directive(st, d, w[1:]) })
	}
	return p.together(base, words, 0, p.call)
}

// together reads a line for each of the actors that its n-th word names.
func (p *parser) together(base Step, words []token, n int, read func(*Step, []token) error) (*Step, error) {
	if n >= len(words) || words[n].quoted || !strings.Contains(words[n].text, "+") {
		return &base, read(&base, words)
	}
	first, others := split(words[n].text)
	var all []*Step
	for _, actor := range append([]string{first}, others...) {
		st, w := base, slices.Clone(words)
		w[n].text = actor
		if err := read(&st, w); err != nil {
			return nil, err
		}
		all = append(all, &st)
	}
	st := all[0]
	st.With = all[1:]
	simple := st.Verb != nil && st.Verb.Use == UsesSocket && !st.Background
	if !simple && st.Directive != "drop" && st.Directive != "pass" && st.Directive != "until" {
		return nil, fmt.Errorf("%s cannot be done by several at the same time", words[min(1-n, len(words)-1)].text)
	}
	return st, nil
}

func (p *parser) directive(st *Step, d *Directive, words []token) (err error) {
	st.Directive = d.Name
	p.script.NeedsPrivate = p.script.NeedsPrivate || d.private
	if d.Name == "expect" {
		st.Expect, err = expect.Parse(texts(words))
		st.Expect.At, st.Expect.Text = st.At, st.Text
		return err
	}
	if err := d.parse(st, words); err != nil {
		return withUsage(err, d.usage)
	}
	return p.scope.directive(st)
}

func (p *parser) call(st *Step, words []token) error {
	first := words[0].text
	target, background := strings.CutSuffix(first, "&")
	name, _, _ := strings.Cut(target, ":")
	if words[0].quoted || !p.scope.has(name) {
		return p.unknownFirst(first, name)
	}
	if err := parseTarget(st, target); err != nil {
		return err
	}
	if len(words) == 1 {
		return fmt.Errorf("what does %s do? A call is missing", st.Actor)
	}
	v, err := FindVerb(words[1].text)
	if err != nil {
		return err
	}
	st.Verb, st.Background = v, background
	st.Op.Verb, st.Op.Background = v.Name, background
	if background && v.Use != UsesSocket && v.Name != "accept" && v.Name != "connect" {
		return fmt.Errorf("%s cannot be made in the background", v.Name)
	}
	if err := v.parse(st, words[2:]); err != nil {
		return withUsage(err, v.usage)
	}
	return p.scope.call(st)
}

func (p *parser) unknownFirst(word, actor string) error {
	if _, err := FindVerb(word); err == nil {
		return fmt.Errorf("who does %q? A line begins with an actor: client %s", word, word)
	}
	known := slices.Clone(p.scope.names())
	for _, d := range Directives {
		known = append(known, d.Name)
	}
	return suggest.Unknown("actor or command", actor, known)
}

func withUsage(err error, usage string) error {
	if strings.Contains(err.Error(), "unknown ") {
		return err
	}
	return fmt.Errorf("%w (usage: %s)", err, usage)
}

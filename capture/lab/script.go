package lab

import (
	"fmt"
	"path"
	"slices"
	"strings"

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

	file   string
	steps  []step
	actors []string // those that exist from the start; client and server come first
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
	s.actors = p.scope.initial
	if len(p.errs) == 0 && len(s.steps) == 0 {
		p.errs = append(p.errs, fmt.Errorf("%s:1: the script has no line that does anything", name))
	}
	if len(p.errs) > 0 {
		return nil, ScriptError(p.errs)
	}
	return s, nil
}

// ScriptError holds everything that is wrong with a script, in the order of its lines.
type ScriptError []error

func (e ScriptError) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the single errors.
func (e ScriptError) Unwrap() []error { return e }

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
		p.script.steps = append(p.script.steps, *st)
	}
}

// step reads one line; nil for a line that says nothing.
func (p *parser) step(at, line string) (*step, error) {
	words, outcome, err := lexLine(line)
	if err != nil || len(words) == 0 && outcome == nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, fmt.Errorf("an outcome without a call")
	}
	base := step{at: at, text: strings.TrimSpace(line)}
	if outcome != nil {
		if base.want, err = parseOutcome(outcome[0]); err != nil {
			return nil, err
		}
	}
	if d := findDirective(words[0].text); d != nil && !words[0].quoted {
		if outcome != nil {
			return nil, fmt.Errorf("%s has no outcome", d.name)
		}
		return p.together(base, words, 1, func(st *step, w []token) error { return p.directive(st, d, w[1:]) })
	}
	return p.together(base, words, 0, p.call)
}

// together reads a line for each of the actors that its n-th word names.
func (p *parser) together(base step, words []token, n int, read func(*step, []token) error) (*step, error) {
	if n >= len(words) || words[n].quoted || !strings.Contains(words[n].text, "+") {
		return &base, read(&base, words)
	}
	first, others := split(words[n].text)
	var all []*step
	for _, actor := range append([]string{first}, others...) {
		st, w := base, slices.Clone(words)
		w[n].text = actor
		if err := read(&st, w); err != nil {
			return nil, err
		}
		all = append(all, &st)
	}
	st := all[0]
	st.with = all[1:]
	simple := st.verb != nil && st.verb.use == usesSocket && !st.background
	if !simple && st.directive != "drop" && st.directive != "pass" && st.directive != "until" {
		return nil, fmt.Errorf("%s cannot be done by several at the same time", words[min(1-n, len(words)-1)].text)
	}
	return st, nil
}

func (p *parser) directive(st *step, d *directive, words []token) (err error) {
	st.directive = d.name
	p.script.NeedsPrivate = p.script.NeedsPrivate || d.private
	if d.name == "expect" {
		st.expect, err = parseExpect(texts(words))
		st.expect.At, st.expect.Text = st.at, st.text
		return err
	}
	if err := d.parse(st, words); err != nil {
		return withUsage(err, d.usage)
	}
	return p.scope.directive(st)
}

func (p *parser) call(st *step, words []token) error {
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
		return fmt.Errorf("what does %s do? A call is missing", st.actor)
	}
	v, err := findVerb(words[1].text)
	if err != nil {
		return err
	}
	st.verb, st.background = v, background
	st.op.Verb, st.op.Background = v.name, background
	if background && v.use != usesSocket && v.name != "accept" && v.name != "connect" {
		return fmt.Errorf("%s cannot be made in the background", v.name)
	}
	if err := v.parse(st, words[2:]); err != nil {
		return withUsage(err, v.usage)
	}
	return p.scope.call(st)
}

func (p *parser) unknownFirst(word, actor string) error {
	if _, err := findVerb(word); err == nil {
		return fmt.Errorf("who does %q? A line begins with an actor: client %s", word, word)
	}
	known := slices.Clone(p.scope.names())
	for _, d := range directiveTable {
		known = append(known, d.name)
	}
	return suggest.Unknown("actor or command", actor, known)
}

func withUsage(err error, usage string) error {
	if strings.Contains(err.Error(), "unknown ") {
		return err
	}
	return fmt.Errorf("%w (usage: %s)", err, usage)
}

package expect

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/suggest"
)

// Rule is a line of a check:
//
//	QUANTITY CONDITION [or CONDITION]… [where CONDITION [and CONDITION]…]
//
// QUANTITY is expect (each connection), none (no connection) or some (at least one). A CONDITION is a
// subject of scripts that a connection alone answers, with its arguments, or one that picks: conn N,
// host H, port N, cause CODE, min-half-close DURATION. Behind "or" and "and" the subject may be left out
// where it is that of the condition before.
type Rule struct {
	At   string // "file:line", "" of a command line
	Text string // as written, without a comment

	quantity string
	any      []condition // one of these is to hold
	where    []condition // of connections of which all these hold
}

// condition is a subject with its arguments.
type condition struct {
	*subject
	with []string
}

// The quantities.
const (
	each = "expect"
	none = "none"
	some = "some"
)

// Quantities lists the words that a rule begins with.
func Quantities() []string { return []string{each, none, some} }

// picks are the subjects that rules have beside those of scripts: the names of analyze's flags.
var picks = []subject{
	{"conn", "conn N", whole("connection"), func(c *analyze.Connection, args []string) (string, Judgement) {
		return decide(strconv.Itoa(c.ID), true, args[0])
	}},
	{"host", "host ADDRESS|NETWORK", hostArgs, picked(func(s *analyze.Selection, arg string) { s.Host, _ = analyze.ParseHost(arg) })},
	{"port", "port N", whole("port"), picked(func(s *analyze.Selection, arg string) {
		n, _ := strconv.ParseUint(arg, 10, 16)
		s.Port = uint16(n)
	})},
	{"cause", "cause CODE", oneOf("cause", causes...), judgeReset},
	{"min-half-close", "min-half-close DURATION", durationArgs, func(c *analyze.Connection, args []string) (string, Judgement) {
		least, _ := time.ParseDuration(args[0])
		if s := (analyze.Selection{MinHalfClose: least}); s.Match(c) {
			return time.Duration(c.HalfClose.NS).String(), Held
		}
		got, a := judgeHalfClose(c, []string{"none"})
		if a == Undecided {
			return got, Undecided
		}
		return got, NotHeld
	}},
}

// picked judges by a selection, which the ends of a connection always answer. The arguments were parsed before.
func picked(set func(s *analyze.Selection, arg string)) judge {
	return func(c *analyze.Connection, args []string) (string, Judgement) {
		var s analyze.Selection
		set(&s, args[0])
		got := c.Client.String() + " → " + c.Server.String()
		if s.Match(c) {
			return got, Held
		}
		return got, NotHeld
	}
}

func hostArgs(words []string) ([]string, error) {
	if len(words) != 1 {
		return nil, fmt.Errorf("want one address or network, got %d words", len(words))
	}
	_, err := analyze.ParseHost(words[0])
	return words, err
}

func durationArgs(words []string) ([]string, error) {
	if len(words) != 1 {
		return nil, fmt.Errorf("want one duration, got %d words", len(words))
	}
	if d, err := time.ParseDuration(words[0]); err != nil || d <= 0 {
		return nil, fmt.Errorf("%s: want a duration like 5s", words[0])
	}
	return words, nil
}

// whole returns what reads a number from 1.
func whole(what string) func([]string) ([]string, error) {
	bits := map[string]int{"port": 16}[what]
	return func(words []string) ([]string, error) {
		if len(words) != 1 {
			return nil, fmt.Errorf("want one %s, got %d words", what, len(words))
		}
		n, err := strconv.ParseUint(words[0], 10, bits)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("%s: want the number of a %s, from 1", words[0], what)
		}
		return []string{strconv.FormatUint(n, 10)}, nil
	}
}

// ofRules are the subjects of conditions.
func ofRules() []subject {
	all := slices.Clone(picks)
	for _, s := range subjects {
		if s.judge != nil {
			all = append(all, s)
		}
	}
	return all
}

// ParseRule reads one rule.
func ParseRule(line string) (Rule, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return Rule{}, errors.New("an empty rule")
	}
	r := Rule{Text: strings.Join(words, " "), quantity: words[0]}
	if err := oneKnown("rule", words[0], Quantities()); err != nil {
		return r, err
	}
	what, where, picks := cutWord(words[1:], "where")
	var err error
	if r.any, err = conditions(what, "or"); err != nil {
		return r, err
	}
	if picks {
		r.where, err = conditions(where, "and")
	}
	return r, err
}

// Pick is a condition that picks connections.
type Pick struct{ condition }

// ParsePick reads one: a subject and its arguments.
func ParsePick(subject, args string) (Pick, error) {
	c, err := parseCondition(append([]string{subject}, strings.Fields(args)...))
	return Pick{c}, err
}

// Where adds to the conditions that pick connections.
func (r *Rule) Where(picks ...Pick) {
	for _, p := range picks {
		r.where = append(r.where, p.condition)
	}
}

// Conditions lists how each condition is written.
func Conditions() []string {
	var all []string
	for _, s := range ofRules() {
		all = append(all, s.usage)
	}
	return all
}

// ParseRules reads a file of them: one a line, a # where a word would begin starts a comment. name is
// the file's in errors, which name all lines that are wrong.
func ParseRules(name, text string) ([]Rule, error) {
	var rules []Rule
	var errs []error
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if n := slices.IndexFunc(words, func(w string) bool { return w[0] == '#' }); n >= 0 {
			words = words[:n]
		}
		if len(words) == 0 {
			continue
		}
		r, err := ParseRule(strings.Join(words, " "))
		r.At = fmt.Sprintf("%s:%d", name, i+1)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.At, err))
		}
		rules = append(rules, r)
	}
	return rules, errors.Join(errs...)
}

// conditions reads conditions with a word between them.
func conditions(words []string, between string) ([]condition, error) {
	var all []condition
	for more := true; more; {
		var one []string
		one, words, more = cutWord(words, between)
		c, err := parseCondition(one)
		if len(all) > 0 && len(one) > 0 { // "ending graceful or reset": reset is a subject, too
			last := all[len(all)-1].subject
			if with, same := last.args(one); same == nil {
				c, err = condition{last, with}, nil
			}
		}
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func parseCondition(words []string) (condition, error) {
	if len(words) == 0 {
		return condition{}, fmt.Errorf("want a condition (subjects: %s)", strings.Join(names(ofRules()), ", "))
	}
	s := find(ofRules(), words[0])
	if s == nil {
		if find(subjects, words[0]) != nil {
			return condition{}, fmt.Errorf("%s: only a script can expect it: it speaks of a run, or of its calls", words[0])
		}
		return condition{}, suggest.Unknown("subject", words[0], names(ofRules()))
	}
	with, err := s.args(words[1:])
	if err != nil {
		return condition{}, fmt.Errorf("%s: %w (usage: %s)", s.name, err, s.usage)
	}
	return condition{s, with}, nil
}

func cutWord(words []string, at string) (before, after []string, found bool) {
	if i := slices.Index(words, at); i >= 0 {
		return words[:i], words[i+1:], true
	}
	return words, nil, false
}

// Segments reports whether the rule speaks of single segments, which are to be listed then.
func (r *Rule) Segments() bool {
	return slices.ContainsFunc(slices.Concat(r.any, r.where), func(c condition) bool { return strings.HasSuffix(c.name, "wire") })
}

// judge says whether c is picked, and what it shows of the conditions. One of which it is not known
// whether it is picked is decided where it makes no difference.
func (r *Rule) judge(c *analyze.Connection) (got string, pick, holds Judgement) {
	pick = Held
	for i := range r.where {
		switch _, a := r.where[i].subject.judge(c, r.where[i].with); {
		case a == NotHeld:
			return "", NotHeld, Undecided
		case a == Undecided:
			pick = Undecided
		}
	}
	holds = NotHeld
	var seen []string
	for i := range r.any {
		text, a := r.any[i].subject.judge(c, r.any[i].with)
		text = r.any[i].name + ": " + text
		if a == Held {
			return text, pick, Held
		}
		if !slices.Contains(seen, text) {
			seen = append(seen, text)
		}
		if a == Undecided {
			holds = Undecided
		}
	}
	return strings.Join(seen, ", "), pick, holds
}

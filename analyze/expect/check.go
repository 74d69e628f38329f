package expect

import (
	"net/netip"
	"slices"

	"github.com/closecap/closecap/analyze"
)

// Checked is what came of a check: `closecap check --format json` writes it as it is.
type Checked struct {
	Schema      int       `json:"schema"`
	Tool        string    `json:"tool"`
	Source      string    `json:"source"`
	Judgement   Judgement `json:"judgement"` // not-held where a rule is, else undecided where one is
	Connections uint64    `json:"connections"`
	Rules       []Outcome `json:"rules"`
	Gap         string    `json:"gap,omitempty"` // what the evidence lacks as a whole
	Warnings    []string  `json:"warnings"`
}

// Outcome is a rule with what came of it.
type Outcome struct {
	At        string    `json:"at,omitempty"` // "file:line"
	Rule      string    `json:"rule"`
	Judgement Judgement `json:"judgement"`
	Why       string    `json:"why,omitempty"` // why it is undecided or not held, where no connection says so
	Picked    uint64    `json:"picked"`        // connections that it speaks of
	Against   uint64    `json:"against"`       // of those, how many it does not hold for
	Undecided uint64    `json:"undecided"`     // and of how many that is not known
	Examples  []Example `json:"examples"`      // the first of them
}

// Example is a connection for which a rule does not hold, or of which that is not known.
type Example struct {
	Connection int            `json:"connection"`
	Client     netip.AddrPort `json:"client"`
	Server     netip.AddrPort `json:"server"`
	FirstFrame uint64         `json:"first_frame"`
	LastFrame  uint64         `json:"last_frame"`
	Judgement  Judgement      `json:"judgement"`
	Got        string         `json:"got"`
	Why        []string       `json:"why,omitempty"` // the evidence
}

// Allow says what is a pass all the same. The zero value allows nothing.
type Allow struct {
	None bool // rules that pick no connection
	Gaps bool // evidence that lacks something as a whole
}

// mostExamples is how many connections a rule names of each kind.
const mostExamples = 10

// Check holds connections to rules, one by one; it keeps none of them.
type Check struct {
	rules []Rule
	sums  []sum
	all   uint64
}

// sum is what one rule has met so far.
type sum struct {
	picked, held, not, open uint64
	examples                map[Judgement][]Example
}

// NewCheck returns a check of rules.
func NewCheck(rules []Rule) *Check {
	k := &Check{rules: rules, sums: make([]sum, len(rules))}
	for i := range k.sums {
		k.sums[i].examples = map[Judgement][]Example{}
	}
	return k
}

// Segments reports whether a rule speaks of single segments.
func (k *Check) Segments() bool {
	return slices.ContainsFunc(k.rules, func(r Rule) bool { return r.Segments() })
}

// Connection judges one connection by all rules.
func (k *Check) Connection(c *analyze.Connection) {
	k.all++
	for i := range k.rules {
		r, s := &k.rules[i], &k.sums[i]
		got, pick, holds := r.judge(c)
		if pick == NotHeld {
			continue
		}
		if r.quantity == none {
			holds = holds.not()
		}
		if pick == Undecided {
			if holds == Held && r.quantity != some {
				continue
			}
			holds, got = Undecided, got+"; whether the rule means it is not known"
		}
		s.picked++
		switch holds {
		case Held:
			s.held++
			continue
		case NotHeld:
			s.not++
		default:
			s.open++
		}
		if len(s.examples[holds]) < mostExamples {
			e := ExampleOf(c)
			e.Judgement, e.Got = holds, got
			s.examples[holds] = append(s.examples[holds], e)
		}
	}
}

// ExampleOf returns c as an example, with the evidence for how it ended.
func ExampleOf(c *analyze.Connection) Example {
	e := Example{
		Connection: c.ID, Client: c.Client, Server: c.Server, FirstFrame: c.FirstFrame, LastFrame: c.LastFrame,
		Why: slices.Clone(c.Why),
	}
	if c.Reset != nil {
		e.Why = slices.Clone(c.Reset.Why)
	}
	for _, p := range c.Candidates {
		if p.Why != "" && !slices.Contains(e.Why, p.Why) {
			e.Why = append(e.Why, p.Why)
		}
	}
	return e
}

// Result says what came of all rules. gap is what the evidence lacks as a whole, such as packets that
// a capture lost: a rule that would hold is undecided then.
func (k *Check) Result(gap string, allow Allow) *Checked {
	c := &Checked{Schema: analyze.Schema, Judgement: Held, Connections: k.all, Gap: gap, Warnings: []string{}}
	for i := range k.rules {
		o := k.outcome(i, gap, allow)
		c.Rules = append(c.Rules, o)
		if o.Judgement == NotHeld || o.Judgement == Undecided && c.Judgement == Held {
			c.Judgement = o.Judgement
		}
	}
	return c
}

func (k *Check) outcome(i int, gap string, allow Allow) Outcome {
	r, s := &k.rules[i], &k.sums[i]
	o := Outcome{At: r.At, Rule: r.Text, Picked: s.picked, Against: s.not, Undecided: s.open}
	o.Examples = append(append([]Example{}, s.examples[NotHeld]...), s.examples[Undecided]...)
	o.Judgement = Held
	switch {
	case s.picked == 0:
		o.Why = "no connection was picked"
		if !allow.None {
			o.Judgement = Undecided
		}
	case r.quantity == some && s.held > 0:
		o.Against, o.Undecided, o.Examples = 0, 0, []Example{}
		return o // what is missing takes nothing from it
	case r.quantity != some && s.not > 0:
		o.Judgement = NotHeld
	case s.open > 0:
		o.Judgement = Undecided
	case r.quantity == some:
		o.Judgement = NotHeld
	}
	if gap != "" && !allow.Gaps && (o.Judgement != NotHeld || r.quantity == some) {
		o.Judgement, o.Why = Undecided, gap
	}
	return o
}

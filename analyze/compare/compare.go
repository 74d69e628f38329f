// Package compare asks the same questions of several scenarios, what each way to close a
// connection does to both ends, and answers them out of what runs of the scenarios showed.
//
// It runs nothing: it says which variations of a scenario to run (Probes), in the words of a
// script, and reads the Results.
package compare

import (
	"slices"

	"github.com/closecap/closecap/analyze"
)

// Comparison holds the same questions answered for several scenarios. Every answer but the
// advice is measured; one that no run exercised says so.
type Comparison struct {
	Schema    int             `json:"schema"`
	Tool      string          `json:"tool"`
	Kernel    *analyze.Kernel `json:"kernel,omitempty"`
	Scenarios []Subject       `json:"scenarios"`
	Questions []Question      `json:"questions"`
	Warnings  []string        `json:"warnings"`
}

// Subject is a scenario that is compared.
type Subject struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Closing string `json:"closing"` // the call in question, "client close()"; "" when there is none
	Runs    []Run  `json:"runs"`
}

// Run is what one script showed.
type Run struct {
	Name   string          `json:"name"` // "scenario", or a probe's
	About  string          `json:"about"`
	Script string          `json:"script"`
	Failed string          `json:"failed,omitempty"` // why it did not come to its end
	Result *analyze.Result `json:"result"`
}

// ScenarioRun is the name of the run of the scenario as it is written.
const ScenarioRun = "scenario"

// Question is asked of every scenario; Answers stand in the order of the scenarios.
type Question struct {
	ID      string   `json:"id"`
	Text    string   `json:"text"`
	Answers []Answer `json:"answers"`
}

// Basis is what an answer rests on.
type Basis string

// The bases.
const (
	Measured    Basis = "measured"
	NotMeasured Basis = "not measured"
	Advice      Basis = "advice" // of the script's author
)

// Answer is what one scenario says to a question.
type Answer struct {
	Scenario string `json:"scenario"`
	Value    string `json:"value,omitempty"` // yes, no, or another code of the question's own
	Text     string `json:"text"`
	Basis    Basis  `json:"basis"`
	From     []Ref  `json:"from,omitempty"`
}

// Ref names a row of a run: a call, or a frame.
type Ref struct {
	Run string `json:"run"`
	Row int    `json:"row"`
}

// question is a row of the comparison and how a scenario's runs answer it.
type question struct {
	id, text string
	answer   func(*evidence) Answer
}

var questionTable = []question{
	{"sent", "what did the call send?", (*evidence).sent},
	{"this-receives", "can this end still receive?", (*evidence).thisReceives},
	{"this-sends", "can this end still send?", (*evidence).thisSends},
	{"descriptor", "is the descriptor usable afterwards?", (*evidence).descriptor},
	{"peer-sends", "can the peer still send?", (*evidence).peerSends},
	{"peer-send", "what do the peer's next sends return?", (*evidence).peerSend},
	{"peer-recv", "what do the peer's next recvs return?", (*evidence).peerRecv},
	{"peer-poll", "what does the peer's poll say?", (*evidence).peerPoll},
	{"lost-own", "does what this end had sent arrive?", (*evidence).lostOwn},
	{"lost-peer", "is what the peer sends lost, and who is told?", (*evidence).lostPeer},
	{"others", "does it touch other processes that hold the socket?", (*evidence).others},
	{"time-wait", "who holds TIME_WAIT once both ends are gone?", (*evidence).timeWait},
	{"ending", "how does the scenario itself end?", (*evidence).ending},
}

// Candidate is a scenario to compare, with its runs; the first is the scenario itself.
type Candidate struct {
	Subject
	Advice string // the script's own, when to use its way
}

// Scenarios answers the questions for each candidate out of its runs.
func Scenarios(candidates []Candidate) *Comparison {
	c := &Comparison{Schema: analyze.Schema, Scenarios: []Subject{}, Warnings: []string{}}
	for _, q := range questionTable {
		c.Questions = append(c.Questions, Question{ID: q.id, Text: q.text})
	}
	c.Questions = append(c.Questions, Question{ID: "use", Text: "when to use it? (advice)"})
	for _, cand := range candidates {
		c.add(cand)
	}
	return c
}

func (c *Comparison) add(cand Candidate) {
	ev := gather(cand)
	if base := ev.runs[ScenarioRun]; base != nil {
		cand.Closing = base.closing.Actor + " " + base.closing.Name + "(" + base.closing.Args + ")"
		if c.Kernel == nil {
			c.Tool, c.Kernel = base.res.Tool, base.res.Kernel
		}
	}
	c.Scenarios = append(c.Scenarios, cand.Subject)
	for i, q := range questionTable {
		a := q.answer(ev)
		a.Scenario = cand.Name
		c.Questions[i].Answers = append(c.Questions[i].Answers, a)
	}
	use := &c.Questions[len(c.Questions)-1]
	use.Answers = append(use.Answers, adviceOf(cand))
	for _, r := range cand.Runs {
		if r.Failed != "" {
			c.Warnings = append(c.Warnings, cand.Name+", "+r.Name+": "+r.Failed)
		}
	}
}

func adviceOf(cand Candidate) Answer {
	if cand.Advice == "" {
		return Answer{Scenario: cand.Name, Basis: NotMeasured, Text: "the script gives no advice"}
	}
	return Answer{Scenario: cand.Name, Basis: Advice, Text: cand.Advice}
}

// Append adds the scenarios of d, which were asked the same questions.
func (c *Comparison) Append(d *Comparison) {
	if c.Kernel == nil {
		c.Tool, c.Kernel = d.Tool, d.Kernel
	}
	c.Scenarios = append(c.Scenarios, d.Scenarios...)
	c.Warnings = append(c.Warnings, d.Warnings...)
	for i := range c.Questions {
		j := slices.IndexFunc(d.Questions, func(q Question) bool { return q.ID == c.Questions[i].ID })
		if j >= 0 {
			c.Questions[i].Answers = append(c.Questions[i].Answers, d.Questions[j].Answers...)
		}
	}
}

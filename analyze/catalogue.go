package analyze

import (
	"cmp"
	"slices"
)

// Catalogue is what came of many scenarios, each in short.
type Catalogue struct {
	Schema    int       `json:"schema"`
	Tool      string    `json:"tool"`
	Kernel    *Kernel   `json:"kernel,omitempty"`
	Scenarios []Outline `json:"scenarios"`
}

// Outline is a scenario in short: how its first connection ended, and what came of its
// expectations. One that could not be run has only Scenario, Title and the reason.
type Outline struct {
	Scenario    string        `json:"scenario"`
	Title       string        `json:"title"`
	Connections int           `json:"connections"`
	Ending      Ending        `json:"ending,omitempty"`
	Closer      Side          `json:"closer,omitempty"`
	Cause       ResetCause    `json:"reset_cause,omitempty"`
	ResetBy     Side          `json:"reset_by,omitempty"`
	TimeWait    []TimeWait    `json:"time_wait,omitempty"`
	Expected    int           `json:"expected"`
	Met         int           `json:"met"`
	Unmet       []Expectation `json:"unmet,omitempty"`
	NS          int64         `json:"ns"`               // from the first call's start to the last one's end
	Cannot      string        `json:"cannot,omitempty"` // why this system cannot run it
	Failed      string        `json:"failed,omitempty"` // why the run did not come to its end
}

// OK reports whether the scenario ran to its end and did what it expects.
func (o *Outline) OK() bool { return o.Cannot == "" && o.Failed == "" && o.Met == o.Expected }

// Fill takes over what the run of the scenario showed.
func (o *Outline) Fill(res *Result) {
	o.Connections, o.Expected = len(res.Connections), len(res.Expectations)
	for _, e := range res.Expectations {
		if e.OK {
			o.Met++
		} else {
			o.Unmet = append(o.Unmet, e)
		}
	}
	o.NS = duration(res.Calls)
	if len(res.Connections) == 0 {
		return
	}
	c := res.Connections[0]
	o.Ending, o.Closer, o.TimeWait = c.Ending, c.Closer, c.TimeWait
	if c.Reset != nil {
		o.Cause, o.ResetBy = c.Reset.Cause, c.Reset.By
	}
}

func duration(calls []*Call) int64 {
	if len(calls) == 0 {
		return 0
	}
	last := slices.MaxFunc(calls, func(a, b *Call) int { return cmp.Compare(a.End, b.End) })
	return int64(max(last.End, calls[0].Start).Sub(calls[0].Start))
}

package flows

import (
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/flows/prefetch"
	"github.com/closecap/closecap/analyze/tcp"
	"github.com/closecap/closecap/analyze/verdict"
	"github.com/closecap/closecap/analyze/words"
)

// Finished is a connection of which nothing more can come, and which nobody has judged yet.
type Finished struct {
	fl  *followed
	now event.Time // when it was over
	// Heard is what was said on it, nil where nobody hears. See Hear.
	Heard *words.Heard
}

// HandOver makes f hand its connections on before anything of them comes to be judged,
// instead of judging them itself. A Judge does that, in another goroutine if need be; TakeBack
// returns what it is done with.
func (f *Follower) HandOver(to func(Finished)) { f.handOver = to }

// TakeBack lets f use the memory of o again.
func (f *Follower) TakeBack(o Finished) {
	f.words.GiveBack(o.Heard)
	f.release(o.fl)
}

// JudgedAtOnce is how many connections are judged before they are shown. To judge one and to write it takes more code
// than a processor's first cache holds: with one after the other, each takes the other's place in it, for 5 % of
// the CPU time of ndjson. What comes of them is written and read again meanwhile: with 16 it leaves that cache, for 2 to 3 %.
const JudgedAtOnce = 8

// Judge turns what a Follower hands over into Connections. The zero value gives each Connection
// memory of its own.
type Judge struct {
	judges [JudgedAtOnce]verdict.Judge
	judged [JudgedAtOnce]*analyze.Connection
}

// NewJudge returns a Judge whose Connections are valid only until the next ones.
func NewJudge() *Judge {
	return &Judge{judges: [JudgedAtOnce]verdict.Judge(verdict.NewJudges(JudgedAtOnce))}
}

// Connections judges the first of a lot, up to JudgedAtOnce, and returns them, in an array that is used again.
func (j *Judge) Connections(lot []Finished) []*analyze.Connection {
	n := min(JudgedAtOnce, len(lot))
	for i, o := range lot[:n] {
		if i+1 < len(lot) { // it was followed on another core: 4 % of the CPU time
			prefetch.Span(lot[i+1].fl.Span())
			lot[i+1].Heard.Fetch()
		}
		j.judged[i] = connection(&j.judges[i], &o.fl.Flow, o.fl, o.now)
	}
	return j.judged[:n]
}

// connection judges flow, which is fl's or a copy of that.
func connection(j *verdict.Judge, flow *tcp.Flow, fl *followed, now event.Time) *analyze.Connection {
	c := j.Connection(flow, now)
	c.Compat = fl.tools.Compat(flow, j.Keep(fl.tools.History()))
	return c
}

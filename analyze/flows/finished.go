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

// Judge turns what a Follower hands over into Connections. The zero value gives each Connection
// memory of its own.
type Judge struct{ judge verdict.Judge }

// NewJudge returns a Judge whose Connections are valid only until the next one.
func NewJudge() *Judge { return &Judge{judge: verdict.NewJudge()} }

// Connections judges a lot and hands each Connection to show.
func (j *Judge) Connections(lot []Finished, show func(*analyze.Connection)) {
	for i, o := range lot {
		if i+1 < len(lot) { // it was followed on another core: 4 % of the CPU time
			prefetch.Span(lot[i+1].fl.Span())
			lot[i+1].Heard.Fetch()
		}
		show(j.connection(&o.fl.Flow, o.fl, o.now))
	}
}

// connection judges flow, which is fl's or a copy of that.
func (j *Judge) connection(flow *tcp.Flow, fl *followed, now event.Time) *analyze.Connection {
	c := j.judge.Connection(flow, now)
	c.Compat = fl.tools.Compat(flow, j.judge.Keep(fl.tools.History()))
	return c
}

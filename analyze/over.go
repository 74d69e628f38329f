package analyze

import (
	"github.com/closecap/closecap/analyze/event"
)

// Over is a connection of which nothing more can come, and which nobody has judged yet.
type Over struct {
	fl  *flow
	now event.Time // when it was over
}

// HandOver makes f give its connections to over, before anything of them comes to be judged,
// instead of judging them itself. A Judge does that, in another goroutine if need be; TakeBack
// returns what it is done with.
func (f *Follower) HandOver(over func(Over)) { f.over = over }

// TakeBack lets f use the memory of o again.
func (f *Follower) TakeBack(o Over) { f.release(o.fl) }

// Judge turns what a Follower hands over into Connections. The zero value gives each Connection
// memory of its own.
type Judge struct {
	judge   judge
	touched uint64
}

// NewJudge returns a Judge whose Connections are valid only until the next one.
func NewJudge() *Judge { return &Judge{judge: newJudge()} }

// Connections judges a lot and hands each Connection to show.
func (j *Judge) Connections(lot []Over, show func(*Connection)) {
	for i := range lot {
		j.touched += lot[i].fl.touch()
	}
	for _, o := range lot {
		show(j.connection(o.fl, o.now))
	}
}

func (j *Judge) connection(fl *flow, now event.Time) *Connection {
	c := j.judge.connection(fl, now)
	c.Compat = fl.tools.compat(fl, j.judge.keep(fl.tools.zeek.letters))
	return c
}

package analyze

import (
	"strings"

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

// Judge turns what a Follower hands over into Connections.
type Judge struct {
	f       Follower
	touched uint64
}

// NewJudge returns a Judge for a Follower with the same options. With reuse, a Connection is
// valid only until the next one.
func NewJudge(opt Options, reuse bool) *Judge {
	j := &Judge{f: *NewFollower(opt, nil)}
	if reuse {
		j.f.desk = newDesk()
		j.f.desk.texts = new(texts)
	}
	return j
}

// Connections judges a lot and hands each Connection to show.
func (j *Judge) Connections(lot []Over, show func(*Connection)) {
	for i := range lot {
		j.touched += lot[i].fl.touch()
	}
	for _, o := range lot {
		j.f.now = o.now
		show(j.f.judge(o.fl))
	}
}

// desk is the memory of one Connection.
type desk struct {
	connection  Connection
	changes     []StateChange
	segments    []Segment
	listed      []*Segment
	timeWait    []TimeWait
	likelyCalls []LikelyCall
	halfClose   HalfClose
	why         []string
	verdict     verdict
	texts       *texts // nil gives each text memory of its own
}

func newDesk() *desk {
	return &desk{changes: []StateChange{}, listed: []*Segment{}, likelyCalls: []LikelyCall{}}
}

// texts makes strings that share memory, some hundred to an allocation. It suits those that soon
// go together: one of them keeps all.
type texts struct{ all strings.Builder }

const textsSize = 16 << 10

// keep returns b as a string. A nil t gives it memory of its own.
func (t *texts) keep(b []byte) string {
	if t == nil {
		return string(b)
	}
	if t.all.Cap()-t.all.Len() < len(b) {
		t.all.Reset()
		t.all.Grow(max(textsSize, len(b)))
	}
	at := t.all.Len()
	t.all.Write(b)
	return t.all.String()[at:]
}

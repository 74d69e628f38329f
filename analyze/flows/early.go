package flows

import (
	"time"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/tcp"
)

// Early makes f hand out each connection once it is over and no segment of it has come for wait, rather
// than when nothing more can come of it: that is a minute later, when TIME_WAIT ends. It stays known,
// so that what comes late begins no other connection. One that goes on after all is handed out again
// when it is over. Early is not for use with HandOver.
func (f *Follower) Early(wait time.Duration) { f.early = wait }

// Pass lets time pass until now, in which no segment came.
func (f *Follower) Pass(now event.Time) {
	if now > f.now {
		f.now = now
		f.expire()
	}
}

// endingWait is how long a connection of which an RST was sent waits to be followed.
func (f *Follower) endingWait() time.Duration {
	if f.early != 0 {
		return f.early
	}
	return tcp.AfterReset
}

// closingWait is how long one waits of which both FINs were sent: it is over a TIME_WAIT after the last of
// them was acknowledged, and a second.
func (f *Follower) closingWait() time.Duration {
	if f.early != 0 {
		return f.early
	}
	return f.opt.TimeWait + 2*time.Second
}

// showEnded hands out what is over and has been silent for long enough.
func (f *Follower) showEnded() {
	r := &f.roster
	for p := r.first(unshown); p != 0 && r.heads[p].queued.Add(f.early) < f.now; p = r.first(unshown) {
		fl, to := r.flows[p], closed
		switch {
		case fl.AwaitsAck(f.now):
			r.move(unshown, p, f.now)
			continue
		case fl.WasReset():
			to = aborted
		}
		f.stray(fl)
		f.heard = f.words.Look(uint32(p))
		f.done(connection(&f.judge, fl.Copy(), fl, f.now))
		f.heard.Told()
		fl.shown = true
		r.move(to, p, fl.Last)
	}
}

// Restart makes f ready for a timeline that has nothing to do with the one before, after Finish: its time
// begins anew. Connections are numbered on.
func (f *Follower) Restart() { f.now, f.nextExpiry, f.departed = 0, 0, departed{} }

package words

import (
	"fmt"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// asking is messages of the same length that an end sends one after the other, each after the same pause, while the other
// says nothing.
type asking struct {
	end   End
	n     int
	size  int
	every time.Duration
	at    spot       // of the last
	until event.Time // when something else was said, 0 for never
}

// onTime is how much a pause may differ from the one before.
const onTime = 50 * time.Millisecond

// askings are the last of both ends, and the one before, since what comes late of an end that was given up ends it.
type askings struct{ last, before asking }

// says takes the next message that can't be read.
func (all *askings) says(e End, size int, idle time.Duration, at spot) {
	a := &all.last
	if a.n > 0 && e == a.end && size == a.size && (idle-a.every).Abs() <= onTime {
		a.n, a.at = a.n+1, at
		return
	}
	if a.n > 1 {
		all.before = *a
		all.before.until = at.time
	}
	if *a = (asking{}); idle >= longIdle {
		*a = asking{end: e, n: 1, size: size, every: idle, at: at}
	}
}

// of returns the one that may be told of.
func (all *askings) of() asking {
	if all.last.n > 1 {
		return all.last
	}
	return all.before
}

// gaveUp reports whether e asked in vain, and closed when it would have asked again.
func (a *asking) gaveUp(e End, over event.Time) bool {
	return a.n > 1 && a.end == e && (a.until == 0 || a.until > over) && (over.Sub(a.at.time)-a.every).Abs() <= onTime
}

// alive names the settings by which OpenSSH's ends do that (sshd_config(5), ssh_config(5)).
var alive = [2]string{"ServerAliveInterval and ServerAliveCountMax", "ClientAliveInterval and ClientAliveCountMax"}

// unresponsive is an end that closed when the other had answered none of its messages for some time.
func (x *ended) unresponsive() string {
	if !x.closed {
		return ""
	}
	a := &x.said[x.closer].inVain
	if !a.gaveUp(x.closer, x.ends[x.closer].over.time) {
		return ""
	}
	x.unsure = true
	return fmt.Sprintf("the %s gave up: the %s had answered none of its last %d messages, one every %s, the last in frame %d (OpenSSH: %s)",
		x.side[x.closer], x.side[x.closer.Other()], a.n, analyze.Span(a.every), a.at.frame, alive[x.closer])
}

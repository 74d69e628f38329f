package words

import (
	"fmt"
	"time"

	"github.com/closecap/closecap/analyze"
)

// notified is a close that follows the other end's close_notify, which came first of all after idling.
func (x *ended) notified(idle time.Duration) string {
	e, over := x.closer.Other(), x.ends[x.closer].over
	m := &x.said[e]
	if m.closing == 0 || m.before == 0 || m.goodbye.name != tlsGoodbye || m.at.frame > over.frame || x.said[x.closer].closing > 0 && x.said[x.closer].at.frame < m.at.frame {
		return ""
	}
	x.quotes(e)
	x.unsure = x.unsure || m.meaning != closeNotify // it can't be read
	x.topic = topicOf(tlsGoodbye)
	why := fmt.Sprintf("the %s ended it: TLS close_notify (frame %d)", x.side[e], m.at.frame)
	after := over.time.Sub(m.at.time)
	if why += idling(idle-after) + fmt.Sprintf(", then the %s closed", x.side[x.closer]); after >= longIdle {
		why += ", " + analyze.Span(after) + " later"
	}
	return why
}

package report

import (
	"fmt"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// waited is from how long on a call is said to have taken its time, also where the recorder does not know
// whether it blocked.
const waited = 50 * time.Millisecond

// closingSentences tell what the calls before the end met: how long a close() took, who gave up waiting for
// the peer, and what a send() had left over when the close() came.
func closingSentences(c *analyze.Connection, calls []*analyze.Call) []string {
	var lines []string
	left := map[analyze.Side]*analyze.Call{} // the newest send() of a side, where it took less than it was given
	for _, k := range calls {
		switch {
		case len(lines) == shownAftermath:
			return lines
		case k.Errno == "ETIMEDOUT" || k.Errno == "EHOSTUNREACH" || k.Errno == "ENETUNREACH":
			lines = append(lines, fmt.Sprintf("%s got %s%s.", callWords(k), k.Errno, afterWords(k)))
		case k.Kind() == event.SendCall && k.Errno == "":
			left[k.Side] = nil
			if k.TookLess() {
				left[k.Side] = k
			}
		case k.Kind() == event.CloseCall && k.Errno == "" && len(k.Holders) == 0:
			if s := left[k.Side]; s != nil {
				lines = append(lines, fmt.Sprintf("%s took only %s, and %s came next: the kernel never got the rest.",
					callWords(s), count(uint64(s.Ret), "byte"), callWords(k)))
				left[k.Side] = nil
			}
			if s := lingered(c, k); s != "" {
				lines = append(lines, s)
			}
		}
	}
	return lines
}

func afterWords(k *analyze.Call) string {
	if lasted := k.End.Sub(k.Start); lasted >= waited {
		return " after " + span(lasted)
	}
	return ""
}

// lingered says of a close() that took its time whether the peer had acknowledged the FIN by then, and what
// else ended its wait.
func lingered(c *analyze.Connection, k *analyze.Call) string {
	end := max(k.End, k.Abandoned)
	lasted := span(end.Sub(k.Start))
	if k.Name != "close" || end == 0 || end.Sub(k.Start) < waited {
		return ""
	}
	s, and := callWords(k)+" took "+lasted, ", and returned"
	switch {
	case k.End == 0 && k.Signal == "":
		s, and = fmt.Sprintf("%s did not return: its thread ended after %s", callWords(k), lasted), ","
	case k.End == 0:
		s, and = fmt.Sprintf("%s did not return: %s ended its thread after %s", callWords(k), Safe(k.Signal), lasted), ","
	}
	fin := c.Fin(k.Side)
	if fin == nil || fin.DataFin {
		return s + "."
	}
	for _, a := range c.Segments {
		if a.From != k.Side && a.Time <= end && a.Time >= k.Start && a.Flags.Has(event.ACK) && a.Ack >= fin.End() {
			if k.End == 0 {
				return s + "."
			}
			return s + fmt.Sprintf(": until frame %d acknowledged the FIN.", a.Frame)
		}
	}
	if k.End != 0 && k.Signal != "" {
		and = fmt.Sprintf(": %s ended its wait", Safe(k.Signal))
	}
	if fin.Time > end {
		return s + and + fmt.Sprintf(" before its FIN (frame %d) left.", fin.Frame)
	}
	return s + and + " before its FIN was acknowledged."
}

package report

import (
	"fmt"
	"time"

	"github.com/closecap/closecap/analyze"
)

// otherLegSentence says how the other leg of what was relayed had ended before this one.
func otherLegSentence(c *analyze.Connection) string {
	if c.Relay == nil || c.Relay.Ended == nil {
		return ""
	}
	e := c.Relay.Ended
	toward := "to"
	if c.Relay.Side == analyze.Client {
		toward = "from"
	}
	other := fmt.Sprintf("other leg, %s %v (connection %d), had ended", toward, e.Peer, c.Relay.Leg)
	if e.ByRelay {
		other = fmt.Sprintf("relay had ended the other leg, %s %v (connection %d),", toward, e.Peer, c.Relay.Leg)
	}
	before := "before"
	if e.Answered {
		before = "before that answer"
	}
	return sureSentence(fmt.Sprintf("The %s %s %s: %s", other, span(time.Duration(e.NS)), before, Safe(e.Reason)), e.Confidence)
}

// relaySentence ties the connection to the other leg of what was relayed.
func relaySentence(c *analyze.Connection) string {
	r := c.Relay
	if r == nil {
		return ""
	}
	switch r.Same {
	case analyze.SameBytes:
		return fmt.Sprintf("Relayed by the %s: connection %d is the other leg, on which the same bytes went on in the same moment (%s). This is inferred.",
			r.Side, r.Leg, count(r.Bytes, "byte"))
	case analyze.SameRequest:
		if r.PID != 0 {
			return fmt.Sprintf("Relayed by %s: connection %d is the other leg (#%d sent on the request that #%d had received), and no answer from there went on. This is inferred.",
				Safe(r.Actor), r.Leg, r.Sent, r.Received)
		}
		return fmt.Sprintf("Relayed by the %s: connection %d is the other leg, on which the same request was made in the same moment%s. This is inferred.",
			r.Side, r.Leg, sameAnswer(r.Bytes))
	case analyze.NothingBack:
		if r.PID == 0 {
			return fmt.Sprintf("Relayed by the %s: connection %d is the other leg, on which nothing came back, and no other request waited there. This is inferred.", r.Side, r.Leg)
		}
		return fmt.Sprintf("Relayed by %s: connection %d is the other leg, which #%d opened while what came by #%d waited, and nothing came back. This is inferred.",
			Safe(r.Actor), r.Leg, r.Sent, r.Received)
	}
	s := fmt.Sprintf("Relayed by %s: connection %d is the other leg (#%d sent on what #%d had received, %s in all).",
		Safe(r.Actor), r.Leg, r.Sent, r.Received, count(r.Bytes, "byte"))
	if r.After != 0 {
		s += fmt.Sprintf(" It ended this leg (#%d) after #%d had told it of the other leg's end.", r.Call, r.After)
	}
	if r.Confidence != analyze.Observed {
		s += " That it relays is inferred from the number of bytes."
	}
	return s
}

func sameAnswer(bytes uint64) string {
	if bytes == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s of its answer are the same)", count(bytes, "byte"))
}

// transferSentence ties a data connection of FTP to its control connection.
func transferSentence(c *analyze.Connection) string {
	t := c.Transfer
	if t == nil {
		return ""
	}
	named := ""
	if t.Named != 0 {
		named = fmt.Sprintf(" in frame %d", t.Named)
	}
	return sureSentence(fmt.Sprintf("A data connection of FTP: its control connection, %v → %v, named this port%s", t.Client, t.Server, named), t.Confidence)
}

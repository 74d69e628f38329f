package join

import (
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// leastBody is how many bytes of a body must be shown, and be the same, to tell a response that was passed on.
const leastBody = 8

// message is the beginning of an HTTP/1 message, as far as a call shows it.
type message struct {
	what string // of a request its method and target, of a response its status
	body string // as much of it as is shown
	head int64  // how long the head is
}

// readMessage reads the head of the message that begins with text, if all of it is shown. Of what proxies
// rewrite in it nothing is kept.
func readMessage(text string) (m message, ok bool) {
	head, body, whole := strings.Cut(text, "\r\n\r\n")
	line, _, _ := strings.Cut(head, "\r\n")
	words := strings.Split(line, " ")
	switch {
	case !whole || len(words) < 3:
		return m, false
	case strings.HasPrefix(words[0], "HTTP/1."):
		m.what = words[1]
	case len(words) == 3 && strings.HasPrefix(words[2], "HTTP/1."):
		m.what = words[0] + " " + words[1]
	default:
		return m, false
	}
	m.head, m.body = int64(len(head)+4), body
	return m, true
}

// isResponse reports whether m answers: a status is three digits, and no method is.
func (m *message) isResponse() bool { return len(m.what) == 3 && m.what[0] >= '1' && m.what[0] <= '9' }

// passesMessage finds in held the call whose HTTP message c sends on with another head, or -1, and returns how
// many bytes of body go with it. Where the messages of several connections fit, it is that one which relays has
// with c's already, else none. What goes on with its own head is left to others.
func passesMessage(held []carried, c *analyze.Call, relays map[legs]*relayed) (at int, body int64) {
	text := shownFrom(c, 0)
	put, ok := readMessage(text)
	if !ok || put.isResponse() != (c.Side == analyze.Server) {
		return -1, 0
	}
	at, body = -1, c.Ret-put.head
	for i := range held {
		passed := relays[legsOf(held[i].call, c)]
		if !fitsMessage(held[i:], c, &put, text, passed) || at >= 0 && held[at].call.Connection == held[i].call.Connection {
			continue
		}
		if passed != nil {
			return skipHead(held, i), body
		}
		if at >= 0 {
			return -1, 0
		}
		at = i
	}
	return skipHead(held, at), body
}

// fitsMessage reports whether the first of held received the message put, that c sends, with another head: a
// request goes from the leg that was accepted to the one that was opened, a response back. Where passed has a request to
// which no response was, one of few bytes fits as well.
func fitsMessage(held []carried, c *analyze.Call, put *message, text string, passed *relayed) bool {
	h := &held[0]
	from := shownFrom(h.call, 0)
	got, ok := readMessage(from)
	if !ok || h.left != h.call.Ret || h.call.Side != c.Side.Other() || h.call.Connection == c.Connection || got.what != put.what {
		return false
	}
	if n := min(len(text), len(from)); text[:n] == from[:n] {
		return false
	}
	n := min(len(got.body), len(put.body))
	whole := passed != nil && passed.requests > passed.answers && got.body == put.body && c.Ret-put.head == int64(n) && h.call.Ret-got.head == int64(n)
	return got.body[:n] == put.body[:n] && (!put.isResponse() || n >= leastBody || whole) && c.Ret-put.head <= leftOf(held, h.call.Connection)-got.head
}

// onlyAsked reports whether all that went through the process was a request, with another head, to which it passed on no
// response: what it sent back then, if anything, is a gateway's error.
func (l *linker) onlyAsked(x legs, r *relayed) bool {
	if r.requests == 0 || r.answers > 0 || r.sent != sentBy(r.PID, l.byID[x.back].calls, analyze.Client) {
		return false
	}
	passed := l.calls.get(r.Sent).Start
	for _, c := range l.byID[x.front].calls {
		if c.PID == r.PID && c.Side == analyze.Server && c.Kind() == event.SendCall && c.Ret > 0 && c.Start > passed {
			return isGatewayError(c.Text)
		}
	}
	return true
}

// skipHead takes the head off the message that the call at i of held received, and returns i.
func skipHead(held []carried, i int) int {
	if i >= 0 {
		got, _ := readMessage(shownFrom(held[i].call, 0))
		held[i].left -= got.head
	}
	return i
}

// leftOf returns how many bytes held has of a connection.
func leftOf(held []carried, connection int) int64 {
	left := int64(0)
	for _, h := range held {
		if h.call.Connection == connection {
			left += h.left
		}
	}
	return left
}

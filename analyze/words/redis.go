package words

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
)

// redisRefusals are what a server says before any command, or of one that it can't read.
var redisRefusals = []string{"-ERR max number of clients reached", "-DENIED Redis is running in protected mode", "-ERR Protocol error: "}

// isRedis wants a command as an array of bulk strings, or the server's refusal: also of what may be the beginning of one,
// as an array that is too long.
func isRedis(client, server []byte) (a answer) {
	if len(client) > 0 {
		if a = isCommand(client); a != more || len(server) == 0 {
			return a
		}
	}
	for _, refusal := range redisRefusals {
		a = max(a, begins(server, refusal))
	}
	return a
}

// isCommand wants "*N\r\n$N\r\n".
func isCommand(b []byte) answer {
	for _, sign := range []byte{'*', '$'} {
		if len(b) == 0 {
			return more
		}
		if b[0] != sign {
			return no
		}
		line, rest, ok := bytes.Cut(b[1:], []byte("\r\n"))
		if !ok {
			line = bytes.TrimSuffix(line, []byte("\r")) // the first half of a line's end
		}
		for _, c := range line {
			if c < '0' || c > '9' {
				return no
			}
		}
		switch {
		case len(line) > 10 || ok && len(line) == 0:
			return no
		case !ok:
			return more
		}
		b = rest
	}
	return yes
}

// maxDepth bounds arrays in arrays.
const maxDepth = 16

// resp cuts what one end sends into values of Redis's protocol, RESP2 and RESP3.
type resp struct {
	line    []byte
	bulk    int64   // of a bulk string, its line end included, yet to come
	open    []int64 // how many values are yet to come, of each array that is not complete
	outer   byte    // the type of the first of them
	first   [2]string
	strings int // bulk strings of the value so far
	text    []byte
	lost    bool
}

// feed calls done with the type of each whole value, and with its line where it is one.
func (p *resp) feed(b []byte, done func(kind byte, line string)) {
	for len(b) > 0 && !p.lost {
		if p.bulk > 0 {
			n := min(p.bulk, int64(len(b)))
			if p.strings < len(p.first) && len(p.text) < 32 {
				p.text = append(p.text, b[:min(n, 32)]...)
			}
			b, p.bulk = b[n:], p.bulk-n
			if p.bulk == 0 {
				p.string()
				p.value('$', "", done)
			}
			continue
		}
		n := bytes.IndexByte(b, '\n')
		end := n >= 0
		if !end {
			n = len(b) - 1
		}
		if room := maxLine - len(p.line); room > 0 {
			p.line = append(p.line, b[:min(n+1, room)]...)
		}
		b = b[n+1:]
		if end {
			line := string(bytes.TrimRight(p.line, "\r\n"))
			p.line = p.line[:0]
			p.header(line, done)
		}
	}
}

// string keeps what a bulk string says, of the first two.
func (p *resp) string() {
	if p.strings < len(p.first) {
		p.first[p.strings] = strings.ToUpper(string(bytes.TrimRight(p.text, "\r\n")))
	}
	p.strings++
	p.text = p.text[:0]
}

// header takes a line outside of bulk strings.
func (p *resp) header(line string, done func(kind byte, line string)) {
	if line == "" {
		p.lost = len(p.open) > 0
		return
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '+', '-', ':', '_', ',', '#', '(':
		p.value(kind, line, done)
		return
	case '$', '=', '!', '*', '~', '>', '%', '|':
	default: // a command in plain words
		if len(p.open) > 0 {
			p.lost = true
			return
		}
		p.first = [2]string{}
		for i, w := range strings.Fields(strings.ToUpper(line)) {
			if i < len(p.first) {
				p.first[i] = w
			}
		}
		p.strings = len(p.first)
		p.value(' ', line, done)
		return
	}
	n, err := strconv.ParseInt(rest, 10, 40)
	switch {
	case err != nil:
		p.lost = true
	case n < 0:
		p.value(kind, line, done)
	case kind == '$' || kind == '=' || kind == '!':
		p.bulk = n + 2
	default:
		if kind == '%' || kind == '|' {
			n *= 2
		}
		p.array(kind, n, done)
	}
}

func (p *resp) array(kind byte, n int64, done func(kind byte, line string)) {
	switch {
	case len(p.open) == maxDepth:
		p.lost = true
	case n == 0:
		p.value(kind, "", done)
	default:
		if len(p.open) == 0 {
			p.outer = kind
		}
		p.open = append(p.open, n)
	}
}

// value counts a value that is complete, and the arrays that are so with it.
func (p *resp) value(kind byte, line string, done func(kind byte, line string)) {
	for len(p.open) > 0 {
		last := len(p.open) - 1
		if p.open[last]--; p.open[last] > 0 {
			return
		}
		p.open = p.open[:last]
		kind, line = p.outer, ""
	}
	done(kind, line)
	p.strings = 0
}

// cut reports whether a value has begun that is not complete.
func (p *resp) cut() bool { return p.bulk > 0 || len(p.open) > 0 || len(p.line) > 0 }

// redis follows commands and replies.
type redis struct {
	ends      [2]resp
	at        [2]spot
	sent      int
	got       int
	error     string // the last reply, where it is an error
	name      string // of the last command
	quit      spot   // the first command after which the server closes,
	quits     string // and its name
	uncertain bool   // replies can't be counted
}

func newRedis() reader { return &redis{} }

func (r *redis) said(e End, b []byte, at spot) {
	p := &r.ends[e]
	p.feed(b, func(kind byte, line string) {
		r.at[e] = at
		if e == Client {
			r.sent++
			r.name = clip([]byte(p.first[0]))
			if ends := p.first[0] == "QUIT" || p.first[0] == "SHUTDOWN" && p.first[1] != "ABORT"; ends && r.quit.frame == 0 {
				r.quit, r.quits = at, p.first[0]
			}
			switch p.first[0] {
			case "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "MONITOR", "PSYNC", "SYNC", "":
				r.uncertain = true
			case "CLIENT":
				r.uncertain = r.uncertain || p.first[1] == "REPLY"
			}
			return
		}
		if kind == '>' || kind == '|' { // no reply: a push, or what is said of the reply that follows
			return
		}
		r.got++
		if r.error = ""; kind == '-' {
			r.error = clip([]byte(line))
		}
	})
}

func (r *redis) skip(e End, n int64) {
	switch p := &r.ends[e]; {
	case n < p.bulk:
		p.bulk -= n
	default:
		p.lost = true
	}
}

func (r *redis) last(e End, how fate) said {
	w := said{sure: analyze.Observed, tells: true, at: r.at[e]}
	open := r.sent - r.got
	w.counts = !r.uncertain && !r.ends[Client].lost && !r.ends[Server].lost
	if !w.counts || !how.heard {
		open = 0
	}
	if e == Client && open > 0 {
		w.open, w.waits, w.asked = open, "no reply to "+r.name, w.at
	}
	switch p := &r.ends[e]; {
	case p.lost:
		return said{}
	case e == Server && r.error != "":
		w.meaning, w.goodbye = r.error, goodbye{words: r.error, name: "error", at: w.at, error: r.sent > 0}
	case how.done && p.cut():
		w.meaning, w.cut, w.at = [...]string{"a Redis command that was cut", "a Redis reply that was cut"}[e], true, spot{}
	case e == Client && r.quit.frame != 0 && r.name == r.quits:
		w.meaning = r.name
	case e == Client && open > 0 && r.name != "":
		w.meaning = "Redis command without a reply: " + r.name
		if open > 1 {
			w.meaning = fmt.Sprintf("%d Redis commands without a reply, the last: %s", open, r.name)
		}
	default:
		w = said{at: r.at[e], counts: w.counts}
	}
	if e == Client && r.quit.frame != 0 {
		w.goodbye = goodbye{words: r.quits, name: r.quits, at: r.quit}
	}
	return w
}

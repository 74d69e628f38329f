package words

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
)

// isIMAP wants the greeting of a server, to its line's end (RFC 9051 7.1).
func isIMAP(client, server []byte) (a answer) {
	if len(server) == 0 {
		return no
	}
	for _, greeting := range [...]string{"* OK ", "* PREAUTH ", "* BYE "} {
		a = max(a, begins(server, greeting))
	}
	line, _, whole := bytes.Cut(server, []byte("\n"))
	switch {
	case a == no || !plainText(line) || len(line) > maxLine || !plainText(client[:min(5, len(client))]):
		return no
	case !whole:
		return more
	}
	return a
}

// imap follows commands and what a server says of them (RFC 9051). Of commands it keeps the name alone.
type imap struct {
	ends   [2]lines
	end    [2][]byte // the last bytes of the line at hand, however long that is
	chunk  [2]int64  // bytes of a literal, yet to come
	goesOn [2]bool   // the line at hand goes on after a literal
	at     [2]spot
	name   string // of the last command
	tag    string // of that
	quit   spot   // LOGOUT
	bye    string // what the server says of the end
	byeAt  spot
	failed string // the last result, where it is an error
	to     reader
}

func newIMAP() reader { return &imap{} }

func (r *imap) said(e End, b []byte, at spot) {
	for len(b) > 0 && r.to == nil {
		if n := min(r.chunk[e], int64(len(b))); n > 0 {
			b, r.chunk[e] = b[n:], r.chunk[e]-n
			continue
		}
		n := bytes.IndexByte(b, '\n') + 1
		if n == 0 {
			n = len(b)
		}
		r.end[e] = append(r.end[e], b[max(0, n-maxLiteral):n]...)
		r.end[e] = append(r.end[e][:0], r.end[e][max(0, len(r.end[e])-maxLiteral):]...)
		r.ends[e].feed(b[:n], func(line []byte) bool {
			r.line(e, line, at)
			return true
		})
		b = b[n:]
	}
	if r.to != nil && len(b) > 0 {
		r.to.said(e, b, at)
	}
}

// maxLiteral is how long the end of a line with the length of a literal is at most.
const maxLiteral = 24

// line takes a line of e.
func (r *imap) line(e End, line []byte, at spot) {
	end := bytes.TrimRight(r.end[e], "\r\n")
	r.end[e] = r.end[e][:0]
	r.at[e] = at
	whole := !r.goesOn[e]
	r.goesOn[e] = r.literal(e, end)
	switch {
	case !whole:
	case e == Client:
		r.command(line)
	default:
		r.result(line)
	}
}

// literal notes how many bytes follow a line that are no line, as its end says: "{5}", of a client also "{5+}".
func (r *imap) literal(e End, line []byte) bool {
	open := bytes.LastIndexByte(line, '{')
	if open < 0 || line[len(line)-1] != '}' {
		return false
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(string(line[open+1:len(line)-1]), "+"), 10, 40)
	if err != nil || n < 0 {
		return false
	}
	r.chunk[e] = n
	return true
}

func (r *imap) skip(e End, n int64) {
	switch {
	case r.to != nil:
		r.to.skip(e, n)
	case n <= r.chunk[e]:
		r.chunk[e] -= n
	default:
		r.ends[e].lost = true
	}
}

func (r *imap) command(line []byte) {
	tag, rest, ok := strings.Cut(string(line), " ")
	name, _, _ := strings.Cut(rest, " ")
	if name = strings.ToUpper(name); !ok || !upperCase([]byte(name)) || len(name) > longestMethod {
		return // a line of AUTHENTICATE, or DONE
	}
	r.tag, r.name = tag, name
	if name == "LOGOUT" && r.quit.frame == 0 {
		r.quit = r.at[Client]
	}
}

// result takes a line of the server: of those without a tag only what says that it closes.
func (r *imap) result(line []byte) {
	tag, text, _ := strings.Cut(string(line), " ")
	code, _, _ := strings.Cut(text, " ")
	switch {
	case tag == "*" && code == "BYE":
		r.bye, r.byeAt = clip([]byte(text)), r.at[Server]
	case tag == "*" || tag == "+":
	case code == "NO" || code == "BAD":
		r.failed = clip([]byte(text))
	case code == "OK":
		r.failed = ""
		switch {
		case tag != r.tag:
		case r.name == "STARTTLS":
			r.to = newTLS()
		case r.name == "COMPRESS":
			r.to = deaf{}
		}
	}
}

func (r *imap) last(e End, how fate) said {
	if r.to != nil {
		return r.to.last(e, how)
	}
	w := said{sure: analyze.Observed, at: r.at[e], tells: true}
	switch {
	case r.ends[e].lost:
		return said{}
	case e == Client && r.quit.frame != 0:
		w.meaning, w.goodbye = "LOGOUT", goodbye{words: "LOGOUT", name: "LOGOUT", at: r.quit}
	case e == Client:
		w.meaning, w.tells = r.name, false
	case r.bye != "":
		w.meaning, w.at, w.goodbye = r.bye, r.byeAt, goodbye{words: r.bye, name: "BYE", at: r.byeAt}
	case r.failed != "":
		w.meaning, w.goodbye = r.failed, goodbye{words: r.failed, name: "error", at: w.at, error: true}
	}
	if e == Client && r.name != "" && !r.ends[Server].lost {
		w.failed = r.failed
		if w.goodbye.words == "" {
			w.without = "LOGOUT"
		}
	}
	if w.meaning == "" {
		return said{}
	}
	return w
}

package words

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
)

// maxLine bounds what is kept of a line; longer ones are judged by their beginning.
const maxLine = 512

// isSMTP and isFTP want the greeting of a server and, since both greet alike, a word that only one of them
// has: the client's first command, or the greeting's own name for itself.
func isSMTP(client, server []byte) answer {
	return isMail(client, server, "SMTP", "EHLO", "HELO", "LHLO")
}

func isFTP(client, server []byte) answer {
	return isMail(client, server, "FTP", "USER", "FEAT", "AUTH", "SYST", "OPTS", "PBSZ", "CLNT", "HOST")
}

func isMail(client, server []byte, name string, commands ...string) answer {
	switch code := replyCode(server); {
	case len(server) == 0 && len(client) > 0:
		return no
	case len(server) < 4:
		if code == 0 && len(server) > 0 {
			return no
		}
		return more
	case code != 220 && code != 421 && code != 554 && code != 120:
		return no
	}
	first, _, whole := bytes.Cut(server, []byte("\n"))
	greeting := string(first)
	own := strings.Contains(greeting, name) && !strings.Contains(strings.ReplaceAll(greeting, name, ""), "SMTP") &&
		!strings.Contains(strings.ReplaceAll(greeting, name, ""), "FTP")
	switch {
	case !plainText(client[:min(5, len(client))]):
		return no
	case own && whole:
		return yes
	case len(client) < 5:
		return more
	}
	for _, c := range commands {
		if strings.EqualFold(string(client[:4]), c) && strings.ContainsAny(string(client[4:5]), " \r\n") {
			return yes
		}
	}
	return no
}

// mailRefusals are what a server, of SMTP or FTP, says in place of a greeting before it closes; the second is vsftpd's whose
// configuration does not do.
var mailRefusals = [...]string{"421 ", "500 OOPS: "}

// isMailRefusal wants one of them, to its line's end.
func isMailRefusal(client, server []byte) (a answer) {
	if len(client) > 0 || len(server) == 0 {
		return no
	}
	for _, refusal := range mailRefusals {
		a = max(a, begins(server, refusal))
	}
	if a != yes {
		return a
	}
	line, _, whole := bytes.Cut(server, []byte("\n"))
	switch {
	case !plainText(line) || len(line) > maxLine:
		return no
	case !whole:
		return more
	}
	return yes
}

// replyCode reads the three digits of a reply, as far as they have come: 0 for none (RFC 5321 4.2).
func replyCode(line []byte) int {
	code := 0
	for i := range min(3, len(line)) {
		if line[i] < '0' || line[i] > '9' {
			return 0
		}
		code = code*10 + int(line[i]-'0')
	}
	if len(line) > 3 && line[3] != ' ' && line[3] != '-' && line[3] != '\r' && line[3] != '\n' {
		return 0
	}
	return code
}

// lines cuts what one end sends into lines.
type lines struct {
	text []byte
	lost bool
}

func (l *lines) feed(b []byte, done func(line []byte) (rest bool)) (unread []byte) {
	for len(b) > 0 && !l.lost {
		n := bytes.IndexByte(b, '\n')
		end := n >= 0
		if !end {
			n = len(b) - 1
		}
		if room := maxLine - len(l.text); room > 0 {
			l.text = append(l.text, b[:min(n+1, room)]...)
		}
		b = b[n+1:]
		if end {
			line := bytes.TrimRight(l.text, "\r\n")
			l.text = l.text[:0]
			if !done(line) {
				return b
			}
		}
	}
	return nil
}

// mail follows commands and replies of SMTP (RFC 5321) and FTP (RFC 959). Of the commands it keeps the verb
// alone: what follows may be a password.
type mail struct {
	smtp    bool
	ends    [2]lines
	verb    string // of the last command
	asked   bool   // that has no final reply yet
	reply   string // the last whole reply's last line
	code    int
	at      [2]spot
	greeted bool   // the server's first reply was mailGreets
	data    bool   // a message is being sent
	started bool   // a line of it has come
	failed  string // the reply to the last command, where that was an error
	refused spot   // where
	before  string // what failed was when the server said unasked that it closes
	chunk   int64  // bytes of a message's chunk (RFC 3030) yet to come
	chunks  bool   // and its last chunk has not begun
	to      reader

	transfer *transfer // of FTP, the last for which a port was named
	named    *transfer // the same, until its data connection is waited for
}

// Replies with which a server greets, and with which it closes: one that was asked to, and one that was not (RFC 5321
// 4.2.3, RFC 959 4.2.1).
const mailGreets, mailCloses, mailShuts = 220, 221, 421

func newSMTP() reader { return &mail{smtp: true} }
func newFTP() reader  { return &mail{} }

func (r *mail) said(e End, b []byte, at spot) {
	if r.to != nil {
		r.to.said(e, b, at)
		return
	}
	for len(b) > 0 && r.to == nil {
		if n := min(r.chunk, int64(len(b))); e == Client && n > 0 {
			b, r.chunk, r.at[e] = b[n:], r.chunk-n, at
			continue
		}
		b = r.ends[e].feed(b, func(line []byte) bool {
			r.at[e] = at
			if e == Client {
				r.command(line)
			} else {
				r.replied(line)
			}
			return r.to == nil && r.chunk == 0
		})
	}
	if r.to != nil && len(b) > 0 {
		r.to.said(e, b, at)
	}
}

func (r *mail) skip(e End, n int64) {
	if r.to != nil {
		r.to.skip(e, n)
		return
	}
	if e == Client && n <= r.chunk {
		r.chunk -= n
		return
	}
	if r.ends[e].lost = true; r.transfer != nil {
		r.transfer.blind = true
	}
}

func (r *mail) command(line []byte) {
	if r.data {
		r.started = true
		if string(line) == "." {
			r.data, r.started, r.verb, r.asked = false, false, "the message's final dot", true
		}
		return
	}
	if !r.smtp {
		line = withoutTelnet(line)
	}
	verb, argument, _ := bytes.Cut(line, []byte(" "))
	if r.verb = strings.ToUpper(clip(verb)); len(verb) > 8 || !upperCase([]byte(r.verb)) {
		r.verb = "" // a line of AUTH
	}
	if !r.smtp {
		r.ftpCommand(line, r.asked)
	}
	r.asked = true
	switch {
	case r.verb == "RSET":
		r.chunks = false
	case r.verb == "BDAT" && r.smtp:
		r.bdat(string(argument))
	}
}

// bdat takes what announces a chunk, which is not in lines.
func (r *mail) bdat(argument string) {
	size, last, _ := strings.Cut(argument, " ")
	n, err := strconv.ParseInt(size, 10, 62)
	if err != nil || n < 0 {
		r.ends[Client].lost = true
		return
	}
	r.chunk, r.chunks = n, !strings.EqualFold(strings.TrimSpace(last), "LAST")
}

func (r *mail) replied(line []byte) {
	code := replyCode(line)
	if code < 100 || len(line) > 3 && line[3] == '-' {
		return // more lines of the reply follow
	}
	r.greeted = r.greeted || r.code == 0 && code == mailGreets
	if r.code, r.reply = code, clip(line); !r.smtp {
		r.ftpReplied()
	}
	if code < 200 { // preliminary (RFC 959 4.2)
		return
	}
	switch {
	case r.verb == "STARTTLS" && code == 220, r.verb == "AUTH" && code == 234 && !r.smtp:
		r.to = newTLS()
	case r.smtp && r.verb == "DATA" && code == 354:
		r.data = true
	}
	if code == mailShuts && !r.asked {
		r.before = r.failed
		return
	}
	if r.asked = false; r.verb != "QUIT" {
		r.failed = ""
		if code >= 400 {
			r.failed, r.refused = r.reply, r.at[Server]
		}
	}
}

func (r *mail) last(e End, how fate) said {
	if r.to != nil {
		return r.to.last(e, how)
	}
	w := said{sure: analyze.Observed, at: r.at[e]}
	bothRead := !r.ends[Client].lost && !r.ends[Server].lost
	switch {
	case r.ends[e].lost:
		return said{}
	case e == Server:
		w.meaning = r.reply
		w.tells = r.code == 226 || r.code >= 400 || r.code == mailCloses && r.verb != "QUIT" && !r.ends[Client].lost
		if w.tells && r.code != 226 {
			w.goodbye = goodbye{words: r.reply, name: "reply", at: w.at, error: r.code != mailShuts && r.code != mailCloses && r.verb != ""} // not in place of a greeting
			if r.before != "" {
				w.goodbye.earlier, w.goodbye.earlierAt = "the last reply before that was "+r.before, r.refused
			}
		}
	case r.data && how.done && bothRead:
		w.meaning, w.tells, w.cut = "a message without its final dot", true, true
	case (r.chunk > 0 || r.chunks) && how.done && bothRead:
		w.meaning, w.tells, w.cut = "a message without its last chunk", true, true
	case r.asked && how.heard && bothRead && r.verb != "":
		w.meaning, w.tells = "without a reply: "+r.verb, true
		w.open, w.waits, w.asked = 1, "no reply to "+r.verb, w.at
	default:
		w.meaning, w.tells = r.verb, r.verb == "QUIT"
	}
	w.counts = bothRead && !r.data && !r.chunks
	if e == Client && bothRead && r.verb != "" {
		if w.failed = r.failed; r.verb == "QUIT" {
			w.goodbye = goodbye{words: r.verb, name: r.verb, at: w.at}
		} else {
			w.without = "QUIT"
		}
	}
	if w.meaning == "" {
		return said{}
	}
	return w
}

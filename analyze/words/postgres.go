package words

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/closecap/closecap/analyze"
)

// Codes in place of a version in a client's first message (PostgreSQL documentation, 55.7).
const (
	pgVersion3 = 3
	pgCancel   = 1234<<16 | 5678
	pgSSL      = 1234<<16 | 5679
	pgGSS      = 1234<<16 | 5680
)

// isPostgres wants a client's first message: its length, and a version with the name of a parameter, or a code; else what
// a server says to one that it does not take.
func isPostgres(client, server []byte) answer {
	if len(client) == 0 {
		return isPgRefusal(server)
	}
	if client[0] != 0 || len(client) > 1 && client[1] != 0 {
		return no
	}
	if len(client) < 8 {
		return more
	}
	n, code := binary.BigEndian.Uint32(client), binary.BigEndian.Uint32(client[4:])
	switch {
	case code>>16 == pgVersion3 && n == 9, code == pgCancel && n == 16, (code == pgSSL || code == pgGSS) && n == 8:
		return yes
	case code>>16 != pgVersion3 || n < 9 || n > 10000:
		return no
	case len(client) == 8:
		return more
	}
	if c := client[8]; c == '_' || c >= 'a' && c <= 'z' { // others count their requests there, as Kafka
		return yes
	}
	return no
}

// isPgRefusal wants an ErrorResponse that is fatal.
func isPgRefusal(server []byte) answer {
	const length = 5
	if a := begins(server[:min(len(server), 3)], "E\x00\x00"); a != yes || len(server) < length {
		return min(a, more)
	}
	return begins(server[length:], "SFATAL\x00VFATAL\x00C")
}

// postgres follows the messages of PostgreSQL's protocol.
type postgres struct {
	framed
	begun   bool // the client's first message that has no type is over
	asks    bool // the server is to answer with one byte whether it takes TLS or GSSAPI
	kind    [2]byte
	error   string
	fatal   bool // after it the server closes
	closing [2]int64
	asked   int // queries and Syncs whose ReadyForQuery has not come
	ready   bool
	rows    int  // of an answer that is not complete
	copying bool // the client is to send data, of which that much came:
	sent    int
	in      bool   // the server has let the client in
	wants   string // what the server wants or has refused, where the client has not gone on
	failed  string // the error of the last command
	cancel  spot   // a CancelRequest, after which the server closes
}

func newPostgres() reader { return &postgres{} }

// size reads the header of a message of e.
func (r *postgres) size(e End) sizer {
	return func(h []byte) (want int, total int64) {
		header, plus := 5, int64(1)
		switch {
		case e == Client && !r.begun:
			header, plus = 4, 0
		case e == Server && r.asks:
			return 1 - len(h), 1
		}
		if len(h) < header {
			return header - len(h), 0
		}
		n := int64(binary.BigEndian.Uint32(h[header-4:]))
		if n < 4 || n > 1<<30 || plus == 1 && (h[0] < '1' || h[0] > 'z') {
			return 0, -1
		}
		return 0, n + plus
	}
}

func (r *postgres) said(e End, b []byte, at spot) {
	r.hear(e, b, at, r.size(e), r.message)
}

func (r *postgres) skip(e End, n int64) { r.pass(e, n, r.message) }

func (r *postgres) message(e End, msg []byte, total int64) {
	switch {
	case e == Client && !r.begun:
		r.first(msg)
		return
	case e == Server && r.asks:
		r.asks = false
		switch msg[0] {
		case 'S':
			r.to = newTLS()
		case 'G':
			r.to = deaf{}
		case 'E': // an old server
			r.to = deaf{}
		case 'N':
			r.wants = "the server had not taken encryption"
		}
		return
	}
	r.kind[e], r.closing[e] = msg[0], 0
	switch {
	case e == Client && (msg[0] == 'Q' || msg[0] == 'S' || msg[0] == 'F'):
		r.asked++
	case e == Client && msg[0] == 'X':
		r.closing[e] = total
	case e == Client && msg[0] == 'p':
		r.wants = ""
	case e == Server && msg[0] == 'R' && len(msg) >= 9:
		r.authentication(binary.BigEndian.Uint32(msg[5:]))
	case e == Client && msg[0] == 'd':
		r.sent++
	case e == Client && (msg[0] == 'c' || msg[0] == 'f'), e == Server && msg[0] == 'G':
		r.copying, r.sent = e == Server, 0
	case e == Server && msg[0] == 'E':
		r.error = pgError(msg[5:])
		r.failed = r.error
		r.fatal = strings.HasPrefix(r.error, "FATAL ") || strings.HasPrefix(r.error, "PANIC ")
	case e == Server && msg[0] == 'N': // 57P02 is only a warning, though nothing follows it
		if text := pgError(msg[5:]); strings.HasPrefix(text, "WARNING 57P0") {
			r.error, r.fatal = text, true
		}
	case e == Server && (msg[0] == 'D' || msg[0] == 'd'):
		r.rows++
	case e == Server && msg[0] == 'C':
		r.rows, r.failed = 0, ""
	case e == Server && msg[0] == 'Z':
		r.rows = 0
		if r.ready && r.asked > 0 {
			r.asked--
		}
		r.ready, r.error = true, ""
	}
}

// first takes the message that has no type.
func (r *postgres) first(msg []byte) {
	if len(msg) < 8 {
		return
	}
	switch code := binary.BigEndian.Uint32(msg[4:]); {
	case code == pgSSL || code == pgGSS:
		r.asks = true
	case code == pgCancel:
		r.to, r.cancel = deaf{}, r.at[Client]
	default:
		r.begun, r.wants = true, ""
	}
}

// authentication takes a server's message of that type (PostgreSQL documentation, 55.7).
func (r *postgres) authentication(kind uint32) {
	switch kind {
	case 0:
		r.in, r.wants = true, ""
	case 3, 5, 10:
		r.wants = "the server had asked for a password"
	}
}

// pgError puts the fields of an ErrorResponse in a line: severity, SQLSTATE and message.
func pgError(b []byte) string {
	field := map[byte]string{}
	for len(b) > 1 && b[0] != 0 {
		text, rest, ok := strings.Cut(string(b[1:]), "\x00")
		if !ok {
			break
		}
		field[b[0]] = text
		b = []byte(rest)
	}
	if field['C'] == "" || field['M'] == "" { // not captured
		return ""
	}
	severity := field['V'] // not translated
	if severity == "" {
		severity = field['S']
	}
	return clip(fmt.Appendf(nil, "%s %s: %s", severity, field['C'], field['M']))
}

func (r *postgres) last(e End, how fate) said {
	if e == Client && r.cancel.frame != 0 {
		return said{meaning: "PostgreSQL CancelRequest", sure: analyze.Observed, at: r.cancel,
			goodbye: goodbye{words: "CancelRequest", name: "CancelRequest", at: r.cancel}}
	}
	if r.to != nil {
		return r.to.last(e, how)
	}
	w := said{sure: analyze.Observed, tells: true, closing: r.closing[e], at: r.at[e], early: r.early(how)}
	if e == Client && r.in {
		if w.failed = r.failed; r.kind[e] != 'X' {
			w.without = "Terminate"
		}
	}
	w.counts = r.begun && !r.ends[Client].lost && !r.ends[Server].lost
	open := r.asked
	if r.rows > 0 || r.copying {
		open--
	}
	if e == Client && open > 0 && how.heard && w.counts {
		w.open, w.waits, w.asked = open, "no answer to a query", w.at
	}
	switch _, _, cut := r.ends[e].cut(); {
	case r.ends[e].lost:
		return said{}
	case e == Server && r.rows > 0 && r.asked > 0 && how.done && w.counts && !r.fatal:
		w.meaning, w.cut = "the answer to a query, cut after "+analyze.Count(uint64(r.rows), "row"), true
	case e == Server && r.error != "":
		w.meaning, w.goodbye = r.error, goodbye{words: r.error, name: "error", at: w.at, error: !r.fatal}
	case cut && how.done:
		w.meaning, w.cut, w.at = "a PostgreSQL message that was cut", true, spot{}
	case e == Client && r.copying && how.done && w.counts:
		w.meaning, w.cut = "a COPY, cut after "+analyze.Count(uint64(r.sent), "message")+" of its data", true
	case e == Client && r.kind[e] == 'X':
		w.meaning, w.goodbye = "PostgreSQL Terminate", goodbye{words: "Terminate", name: "Terminate", at: w.at}
	case w.open > 0:
		w.meaning = "a PostgreSQL query without an answer"
	default:
		w.meaning, w.sure, w.tells, w.closing = "", "", false, 0
	}
	return w
}

// early says that the login was not complete, and what the server waited for.
func (r *postgres) early(how fate) string {
	if r.in || !how.heard || r.ends[Client].lost || r.ends[Server].lost {
		return ""
	}
	s := "the PostgreSQL login was complete"
	if r.wants != "" {
		s += ": " + r.wants
	}
	return s
}

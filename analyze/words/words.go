// Package words reads what the two ends of a connection said last, where that stands in clear: a GOAWAY, a
// TLS alert, an error of a database, a response that was cut.
//
// A Talk is fed the payload of both ends in the order of capture and keeps a few hundred bytes of each. Which
// protocol they speak is told by their first bytes alone, never by a port; from there on its messages are
// followed one by one, each by its own length, so that no content can pass for a message. What fits no
// protocol, or was begun before the capture, is no claim at all.
//
// It reads no file and decides nothing about how a connection ended.
package words

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/tcp"
)

// End indexes the two ends of a Talk.
type End = tcp.End

// The ends. The client sent the SYN.
const (
	Client = tcp.Client
	Server = tcp.Server
)

// spot is where something was said.
type spot struct {
	frame uint64
	time  event.Time
}

// fate is what became of the connection, as a reader has to know it to judge what an end said last, and what
// it did not say. All of it is false where the capture may lack something that was said.
type fate struct {
	fin   bool // this end's FIN came, after all that it sent
	done  bool // this end can have said no more
	heard bool // nor can the other end
	over  spot // its FIN, or an RST
	first bool // that was the connection's first
}

// said is what the last words of an end mean.
type said struct {
	meaning  string
	protocol string // where it is not the one that the connection began with
	sure     analyze.Confidence
	tells    bool // the meaning bears on the ending
	closing  int64
	before   event.Time // with closing: when it had last said something else
	at       spot       // of the message; none where it speaks of what did not come
	goodbye  goodbye
	cut      bool   // its last message is not complete
	short    bool   // with cut: it says that it is
	goesOn   bool   // nor was it when the last of it was captured, whatever became of the connection
	torn     string // with cut: which, where the meaning is that of another
	tornAt   spot
	missing  int64      // how many bytes of that did not come, 0 where it does not tell
	answered bool       // a request that is cut: its answer has come, or has begun
	counts   bool       // the protocol has requests and answers, and none of them is missing
	ended    event.Time // with cut: when its last byte came, where others came after it
	began    event.Time // with cut: when its first did, where that is known
	open     int        // of the client: requests without a whole answer
	begun    int        // of those: their answer has
	waits    string     // for what, as "no answer to GET /"
	asked    spot       // the last of them
	strange  bool       // it is none of the protocol
	early    string     // what was not complete, as a handshake
	bare     string     // without what it closed, as a Close frame
	without  string     // of the client: what it did not say before it closed, as QUIT
	failed   string     // of the client: the error that its last command got
	sealed   bool       // what it says can't be read
	woke     woke       // of what can't be read
	inVain   asking     // likewise
}

// woke is what an end said after a time in which nobody had said anything, where the other has said nothing since.
type woke struct {
	at   spot
	idle time.Duration
}

// goodbye is a message by which an end announces that the connection is to end, or an error after which it may.
type goodbye struct {
	words     string // "" for one that says no more than that
	told      string // what it adds, as the body of an error
	earlier   string // an error that its sender had told of before
	earlierAt spot
	name      string // of the kind of message
	at        spot   // the first time
	error     bool   // it is the reason only where its sender ended the connection, and not after idling
	more      bool   // an answer came after it
	stays     bool   // an error after which its protocol has the connection stay, unless it says otherwise
	usual     bool   // it says only when the connection is to end: a message that is cut, or without an answer, says more
}

// A reader follows one protocol. It is given the bytes of both ends, each in order.
type reader interface {
	said(e End, b []byte, at spot)
	// skip passes over n bytes that the capture lacks.
	skip(e End, n int64)
	last(e End, how fate) said
}

// answer is what the first bytes of a connection say of a protocol.
type answer uint8

const (
	no answer = iota
	more
	yes
)

// protocol is one that can be read. is judges by the first bytes of both ends, of which one may be missing.
type protocol struct {
	name    string
	written string // how people write it
	is      func(client, server []byte) answer
	read    func() reader
}

var http2 = protocol{"http2", "HTTP/2", isHTTP2, newHTTP2}

// protocols are tried in this order; no two of them say yes to the same bytes.
var protocols = []protocol{
	{"tls", "TLS", isTLS, newTLS},
	http2,
	{"http1", "HTTP", isHTTP1, newHTTP1},
	{"ssh", "SSH", isSSH, newSSH},
	{"redis", "Redis", isRedis, newRedis},
	{"postgresql", "PostgreSQL", isPostgres, newPostgres},
	{"mysql", "MySQL", isMySQL, newMySQL},
	{"smtp", "SMTP", isSMTP, newSMTP},
	{"ftp", "FTP", isFTP, newFTP},
	{"imap", "IMAP", isIMAP, newIMAP},
	{"smtp-or-ftp", "SMTP or FTP", isMailRefusal, newSMTP},
}

// byFirst has a bit for each of the protocols in which an end may begin with a byte while the other is silent: most of
// what is none is told by it.
var byFirst = func() (table [2][256]uint32) {
	for e := range table {
		for c := range table[e] {
			var heads [2][]byte
			heads[e] = []byte{byte(c)}
			for i := range protocols {
				if protocols[i].is(heads[Client], heads[Server]) != no {
					table[e][c] |= 1 << i
				}
			}
		}
	}
	return table
}()

// begins says whether b begins with want, as far as b goes.
func begins(b []byte, want string) answer {
	n := min(len(b), len(want))
	switch {
	case string(b[:n]) != want[:n]:
		return no
	case n < len(want):
		return more
	}
	return yes
}

// clip cuts what a peer said to a length that fits a sentence, at the border of a character of UTF-8.
func clip(b []byte) string {
	const most = 160
	if len(b) <= most {
		return string(b)
	}
	n := most
	for n > most-utf8.UTFMax && !utf8.RuneStart(b[n]) {
		n--
	}
	if !utf8.RuneStart(b[n]) { // no UTF-8
		n = most
	}
	return string(b[:n]) + "…"
}

// firstLine returns s up to its first line end.
func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return strings.TrimSuffix(s, "\r")
}

// plainText reports whether b could be read by a person.
func plainText(b []byte) bool {
	for _, c := range b {
		if c < 0x20 && c != '\t' && c != '\r' && c != '\n' || c == 0x7f {
			return false
		}
	}
	return true
}

// deaf is the reader of what cannot be read any more.
type deaf struct{}

func (deaf) said(End, []byte, spot)   {}
func (deaf) skip(End, int64)          {}
func (deaf) last(End, fate) (no said) { return }

package words_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/words"
)

// dialogue is what both ends of a connection say, each acknowledging all that the other said before.
type dialogue []sent

func (d dialogue) say(e words.End, text string) dialogue { return d.put(0, e, ack, text) }

func (d dialogue) put(after time.Duration, e words.End, flags event.Flags, text string) dialogue {
	has := 0
	for _, s := range d {
		if s.end != e {
			if has += len(s.text); s.flags == fin {
				has++
			}
		}
	}
	return append(d[:len(d):len(d)], sent{after, e, flags, has, text})
}

func (d dialogue) client(text string) dialogue { return d.say(words.Client, text) }
func (d dialogue) server(text string) dialogue { return d.say(words.Server, text) }

// ends has an end close after a time, and the other then.
func (d dialogue) ends(after time.Duration, e words.End) dialogue {
	return d.put(after, e, fin, "").put(0, e.Other(), fin, "")
}

// holds has a dialogue give its reason.
func holds(t *testing.T, name string, d dialogue, want string) {
	t.Helper()
	closer := analyze.Side("")
	for _, s := range d {
		if s.flags == fin {
			closer = s.end.Side()
			break
		}
	}
	if got, _, _ := reasonOf(d, nil, known{closer: closer}); got != want {
		t.Errorf("%s: %q, want %q", name, got, want)
	}
}

// Messages of the protocols.
func pg(kind, body string) string {
	return kind + string(binary.BigEndian.AppendUint32(nil, uint32(4+len(body)))) + body
}

func my(n byte, body string) string {
	return string([]byte{byte(len(body)), byte(len(body) >> 8), 0, n}) + body
}

func redis(all ...string) string {
	s := fmt.Sprintf("*%d\r\n", len(all))
	for _, one := range all {
		s += fmt.Sprintf("$%d\r\n%s\r\n", len(one), one)
	}
	return s
}

func record(kind byte, body string) string {
	return string(binary.BigEndian.AppendUint16([]byte{kind, 3, 3}, uint16(len(body)))) + body
}

const (
	pgStart  = "\x00\x00\x00\x10\x00\x03\x00\x00user\x00u\x00\x00"
	pgSSL    = "\x00\x00\x00\x08\x04\xd2\x16\x2f"
	pgOK     = "\x00\x00\x00\x00"
	pgSASL   = "\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"
	pgFailed = "SERROR\x00VERROR\x00C57014\x00Mcanceled\x00\x00"
	myError  = "\xff\x28\x04#42000no"
)

var (
	// in are dialogues whose client has been let in.
	pgIn    = dialogue{}.client(pgStart).server(pg("R", pgOK) + pg("Z", "I"))
	myHello = dialogue{}.server(my(0, "\x0a5.7\x00and so on"))
	myIn    = myHello.client(my(1, "\x00\x02\x00\x00login")).server(my(2, "\x00\x00\x00\x02\x00\x00\x00"))
	smtpIn  = dialogue{}.server("220 mx ESMTP\r\n").client("EHLO c\r\n").server("250 mx\r\n")
)

// TestCutCommand holds that a client which closes within a command has not idled, nor has all its answers.
func TestCutCommand(t *testing.T) {
	for what, d := range map[string]dialogue{
		"a Redis command that was cut (frame 3)":      dialogue{}.client("*1\r\n$9999\r\nx"),
		"a MySQL packet that was cut (frame 6)":       myIn.client(my(0, "\x03select 1")[:9]),
		"a PostgreSQL message that was cut (frame 5)": pgIn.client(pg("Q", "select 1\x00")[:9]),
		"a message without its last chunk (frame 7)":  smtpIn.client("BDAT 9 LAST\r\n").client("half"),
		"TLS record cut: 8 of its 9 bytes (frame 3)":  dialogue{}.client("\x16\x03\x01\x00\x04\x01\x00\x00"),
	} {
		holds(t, what, d.ends(0, words.Client), "the client closed in the middle of its own message: "+what)
		holds(t, what, d.ends(wait, words.Server), "the server closed in the middle of the client's message: "+what+", 2.0 s after its last byte")
	}
}

// TestUncounted holds that what is no answer counts as none, and that what has no answer waits for none.
func TestUncounted(t *testing.T) {
	const done = "the server closed after 2.0 s of idling, no request was outstanding"
	push := redis("HELLO", "3")
	for name, tt := range map[string]struct {
		d    dialogue
		want string
	}{
		"a push of Redis": {dialogue{}.client(push).server("%0\r\n").client(redis("GET", "a")).server(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n"),
			"the server closed 2.0 s after the last request, with no reply to GET (frame 5)"},
		"an attribute of Redis":        {dialogue{}.client(push).server("|1\r\n+a\r\n:1\r\n%0\r\n"), done},
		"MySQL's close of a statement": {myIn.client(my(0, "\x19\x01\x00\x00\x00")), done},
		"MySQL's data of a parameter":  {myIn.client(my(0, "\x18\x01\x00\x00\x00\x00\x00x")), done},
		"a command of MySQL":           {myIn.client(my(0, "\x0e")), "the server closed 2.0 s after the last request, with no answer to a command (frame 6)"},
		"the chunks of a message":      {smtpIn.client("BDAT 4\r\nQUIT").server("250 ok\r\n").client("BDAT 6 LAST\r\nDATA\r\n").server("250 ok\r\n"), done},
	} {
		holds(t, name, tt.d.ends(wait, words.Server), tt.want)
	}
}

// TestLeave holds how a client's leave is told: by its goodbye with the error that it had got, whoever closes then, or
// that it had none, but nothing of that where its protocol has none or the login was not over.
func TestLeave(t *testing.T) {
	myNo, failed := my(1, myError), pg("E", pgFailed)+pg("Z", "I")
	for name, tt := range map[string]struct {
		d          dialogue
		bye        string
		want, left string
	}{
		"SMTP":          {smtpIn, "QUIT\r\n", "QUIT (frame 6)", "without QUIT"},
		"SMTP, refused": {smtpIn.client("MAIL x\r\n").server("554 no.\r\n"), "QUIT\r\n", "QUIT (frame 8), having got 554 no", "without QUIT, having got 554 no"},
		"SMTP, refused once": {smtpIn.client("MAIL x\r\n").server("554 no.\r\n").client("MAIL y\r\n").server("250 ok\r\n"), "QUIT\r\n",
			"QUIT (frame 10)", "without QUIT"},
		"MySQL":              {myIn, my(0, "\x01"), "COM_QUIT (frame 6)", "without COM_QUIT"},
		"MySQL, failed":      {myIn.client(my(0, "\x03x")).server(myNo), my(0, "\x01"), "COM_QUIT (frame 8), having got ERROR 1064 (42000): no", "without COM_QUIT, having got ERROR 1064 (42000): no"},
		"PostgreSQL":         {pgIn, pg("X", ""), "Terminate (frame 5)", "without Terminate"},
		"PostgreSQL, failed": {pgIn.client(pg("Q", "x\x00")).server(failed), pg("X", ""), "Terminate (frame 7), having got ERROR 57014: canceled", "without Terminate, having got ERROR 57014: canceled"},
		"PostgreSQL, failed once": {pgIn.client(pg("Q", "x\x00")).server(failed).client(pg("Q", "x\x00")).server(pg("C", "OK\x00") + pg("Z", "I")), pg("X", ""),
			"Terminate (frame 9)", "without Terminate"},
		"Redis":           {dialogue{}.client(redis("GET", "a")).server("-ERR no\r\n"), redis("QUIT"), "QUIT (frame 5)", ""},
		"Redis, shutdown": {dialogue{}.client(redis("GET", "a")).server("$-1\r\n"), redis("SHUTDOWN", "NOSAVE"), "SHUTDOWN (frame 5)", ""},
	} {
		said := tt.d.client(tt.bye)
		holds(t, name, said.ends(0, words.Client), "the client ended it: "+tt.want+", then closed")
		holds(t, name, said.ends(0, words.Server), "the client ended it: "+tt.want+", then the server closed")
		if tt.left != "" {
			tt.left = "the client closed " + tt.left
		}
		holds(t, name, tt.d.ends(0, words.Client), tt.left)
	}
	holds(t, "idle", myIn.ends(wait, words.Client), "the client closed after 2.0 s of idling without COM_QUIT, no request was outstanding")
	holds(t, "ignored", dialogue{}.client(redis("QUIT")+redis("PING")).server("+OK\r\n").ends(0, words.Server), "the client ended it: QUIT (frame 3), then the server closed")
	holds(t, "to cancel", dialogue{}.client("\x00\x00\x00\x10\x04\xd2\x16\x2e12345678").ends(0, words.Server), "the client ended it: CancelRequest (frame 3), then the server closed")
}

// TestLogin holds what is said of a close before the client was let in, and what that waited for.
func TestLogin(t *testing.T) {
	const before = "the client closed before the "
	const asked = "PostgreSQL login was complete: the server had asked for a password"
	ask := dialogue{}.client(pgStart).server(pg("R", pgSASL))
	holds(t, "asked", ask.ends(0, words.Client), before+asked)
	holds(t, "asked, and waits", ask.ends(wait, words.Server), "the server closed after 2.0 s of idling, before the "+asked)
	holds(t, "answered", ask.client(pg("p", "x")).ends(0, words.Client), before+"PostgreSQL login was complete")
	holds(t, "no TLS", dialogue{}.client(pgSSL).server("N").ends(0, words.Client), before+"PostgreSQL login was complete: the server had not taken encryption")
	holds(t, "no TLS, gone on", dialogue{}.client(pgSSL).server("N").client(pgStart).ends(0, words.Client), before+"PostgreSQL login was complete")
	holds(t, "refused, compressed", myHello.client(my(1, "\x20\x02\x00\x00login")).server(my(2, myError)).ends(0, words.Server),
		"the server ended it: ERROR 1064 (42000): no (frame 5), then closed")
	holds(t, "no packet of SSH", dialogue{}.server("SSH-2.0-a\r\n").client("SSH-2.0-b\r\n\xff\xff\xff\xff").ends(0, words.Server),
		"the server closed before the SSH key exchange was complete: what the client sent is no SSH packet")
	keys := "\x00\x00\x00\x0c\x0a\x15" + strings.Repeat("\x00", 10)
	holds(t, "the host key", dialogue{}.server("SSH-2.0-a\r\n").client("SSH-2.0-b\r\n").server(keys).ends(0, words.Client),
		"the client closed before the SSH key exchange was complete: the server's host key had come")
}

// TestLateAnswer holds that an answer which came when its client had given up tells how much too short it waited.
func TestLateAnswer(t *testing.T) {
	d := smtpIn.client("DATA\r\n").server("354 go\r\n").client("x\r\n.\r\n").put(wait, words.Client, fin, "")
	const gaveUp = "the client closed after 2.0 s with no reply to the message's final dot (frame 8)"
	holds(t, "none", d.put(0, words.Server, fin, ""), gaveUp)
	late := d.put(wait, words.Server, ack, "250 queued\r\n").put(0, words.Server, fin, "")
	holds(t, "half-closed", late, "")
	query := pgIn.client(pg("Q", "x\x00")).put(wait, words.Client, fin, "").server(pg("E", "SFATAL\x00VFATAL\x00C57P01\x00Mno\x00\x00"))
	byClient := &analyze.Reset{By: analyze.Client, Cause: analyze.DataAfterClose}
	if got, _, _ := reasonOf(late, byClient, known{closer: analyze.Client}); got != gaveUp+", which came 2.0 s later (frame 10): 250 queued" {
		t.Errorf("late: %q", got)
	}
	if got, _, _ := reasonOf(query, byClient, known{closer: analyze.Client}); got != "the client closed after 2.0 s with no answer to a query (frame 5)" {
		t.Errorf("no answer: %q", got)
	}
}

// TestRefusal holds what is said of a client that a server turns away for what it said first, as of a protocol that it
// does not speak.
func TestRefusal(t *testing.T) {
	const http, refused = "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "the server ended it: "
	kafka := "\x00\x00\x00\x10\x00\x03\x00\x00\x00\x00\x00\x01\x00\x02me"
	old := "\x00\x00\x00\x10\x00\x04\x00\x00user\x00u\x00\x00"
	fatal := pg("E", "SFATAL\x00VFATAL\x00C0A000\x00Mno\x00\x00")
	for name, tt := range map[string]struct {
		d    dialogue
		want string
	}{
		"HTTP to SMTP":       {dialogue{}.server("220 mx ESMTP\r\n").client(http).server("221 Goodbye.\r\n"), refused + "221 Goodbye. (frame 5), to a client that spoke HTTP, then closed"},
		"HTTP, in pieces":    {dialogue{}.server("220 mx ESMTP\r\n").client(http[:5]).client(http[5:]).server("221 Goodbye.\r\n"), refused + "221 Goodbye. (frame 6), to a client that spoke HTTP, then closed"},
		"TLS to SMTP":        {dialogue{}.server("220 mx ESMTP\r\n").client(hello).server("421 too many errors\r\n"), refused + "421 too many errors (frame 5), to a client that spoke TLS, then closed"},
		"no HTTP to SMTP":    {dialogue{}.server("220 mx ESMTP\r\n").client("GET\r\n").server("421 no\r\n"), refused + "421 no (frame 5), then closed"},
		"HTTP to MySQL":      {myHello.client(http).server(my(1, myError)), refused + "ERROR 1064 (42000): no (frame 5), to a client that spoke HTTP, then closed"},
		"noise to MySQL":     {myHello.client("hello\r\n").server(my(1, myError)), refused + "ERROR 1064 (42000): no (frame 5), to a client that did not speak MySQL, then closed"},
		"a length to Redis":  {dialogue{}.client("*1\r\n$99999999999\r\n").server("-ERR Protocol error: invalid bulk length\r\n"), refused + "-ERR Protocol error: invalid bulk length (frame 4), then closed"},
		"an array to Redis":  {dialogue{}.client("*1000\r\n").server("-ERR Protocol error: unauthenticated multibulk length\r\n"), refused + "-ERR Protocol error: unauthenticated multibulk length (frame 4), then closed"},
		"half a number":      {dialogue{}.client("*1").server("+OK\r\n"), ""},
		"TLS to Redis":       {dialogue{}.client(hello).server("-ERR Protocol error: no\r\n"), refused + "-ERR Protocol error: no (frame 4), to a client that spoke TLS, then closed"},
		"PostgreSQL 4.0":     {dialogue{}.client(old).server(fatal), refused + "FATAL 0A000: no (frame 4), then closed"},
		"HTTP to PostgreSQL": {dialogue{}.client(http).server(fatal), refused + "FATAL 0A000: no (frame 4), to a client that spoke HTTP, then closed"},
		"Kafka":              {dialogue{}.client(kafka).server("\x00\x00\x00\x04\x00\x00\x00\x01"), ""},
	} {
		holds(t, name, tt.d.ends(0, words.Server), tt.want)
	}
}

// TestGreetedWithAnError holds that an error in place of a greeting is the reason, whoever closes then, and one after it is
// its client's to judge.
func TestGreetedWithAnError(t *testing.T) {
	const oops, no = "500 OOPS: no such user", "554 not here"
	holds(t, "vsftpd", dialogue{}.server(oops+"\r\n").ends(0, words.Client), "the server ended it: "+oops+" (frame 3), then the client closed")
	holds(t, "SMTP", dialogue{}.server("554 mx ESMTP "+no+"\r\n").ends(0, words.Client), "the server ended it: 554 mx ESMTP "+no+" (frame 3), then the client closed")
	const shuts = "the server ended it: 421 bye (frame 8), then closed"
	holds(t, "an error before 421", smtpIn.client("MAIL x\r\n").server(no+"\r\n").server("421 bye\r\n").ends(0, words.Server), shuts+"; the last reply before that was "+no+" (frame 7)")
	holds(t, "none before 421", smtpIn.client("MAIL x\r\n").server("250 ok\r\n").server("421 bye\r\n").ends(0, words.Server), shuts)
	holds(t, "after a command", smtpIn.client("MAIL x\r\n").server(no+"\r\n").ends(0, words.Client), "the client closed without QUIT, having got "+no)
}

// TestProbed holds what is said of a client that leaves without a word, as a health check does.
func TestProbed(t *testing.T) {
	const left, check = "the client closed 1.0 ms after it had opened the connection, and ", ", as with a TCP health check, a port scan or a connection that was opened in advance"
	leaves := func(d dialogue) dialogue {
		return d.put(time.Millisecond, words.Client, fin, "").put(0, words.Server, fin, "")
	}
	holds(t, "at once", leaves(nil), left+"neither end had said anything"+check)
	holds(t, "greeted", leaves(dialogue{}.server("220 mx ESMTP\r\n")), left+"had said nothing"+check)
	met := dialogue{}.server("220 mx ESMTP\r\n").put(time.Millisecond, words.Client, fin, "").server("421 mx lost input connection\r\n").put(0, words.Server, fin, "")
	holds(t, "greeted, and told so", met, left+"had said nothing"+check)
	holds(t, "of no known protocol", leaves(dialogue{}.server("hi\r\n")), "")
	holds(t, "turned away", leaves(dialogue{}.server("421 busy\r\n")), "the server ended it: 421 busy (frame 3), then the client closed")
	holds(t, "later", dialogue{}.ends(wait, words.Client), "the client closed after 2.0 s of idling, nothing had been said")
	aborts := &analyze.Reset{By: analyze.Client, Cause: analyze.Aborted, Frame: 3}
	if got, _, _ := reasonOf(dialogue{}.put(time.Millisecond, words.Client, rst, ""), aborts, known{closer: analyze.Client}); got != left+"neither end had said anything"+check {
		t.Errorf("RST: %q", got)
	}
	bare := dialogue{}.put(time.Millisecond, words.Client, event.RST, "")
	if got, _, _ := reasonOf(bare, aborts, known{closer: analyze.Client}); got != "" {
		t.Errorf("bare RST: %q", got)
	}
}

// TestErrorThatStays holds that an error of HTTP/1.1 after which the connection may go on is not called the end's reason.
func TestErrorThatStays(t *testing.T) {
	const no, ended = "HTTP/1.1 404 Not Found", "the server ended it: HTTP/1.1 404 Not Found"
	answer := func(header string) string { return no + "\r\nContent-Length: 0\r\n" + header + "\r\n" }
	old := strings.Replace(get, "1.1", "1.0", 1)
	closes := strings.Replace(get, "\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
	for name, tt := range map[string]struct{ asked, answer, want string }{
		"stays":       {get, answer(""), "the server closed 1.0 ms after its last answer, an error without Connection: close: " + no + " (frame 4)"},
		"says so":     {get, answer("Connection: close\r\n"), ended + " (Connection: close) (frame 4), then closed"},
		"was asked":   {closes, answer(""), "the client ended it: Connection: close (frame 3), then the server closed"},
		"of HTTP/1.0": {old, answer(""), ended + " (frame 4), then closed"},
		"by its end":  {get, no + "\r\n\r\n", ended + " (frame 4), then closed"},
		"of half":     {get[:20], answer(""), ended + " (frame 4), then closed"},
	} {
		holds(t, name, dialogue{}.client(tt.asked).server(tt.answer).ends(time.Millisecond, words.Server), tt.want)
	}
}

// TestUnheard holds what is said of a server that closes a new connection at once, and that this is no race.
func TestUnheard(t *testing.T) {
	byServer := &analyze.Reset{By: analyze.Server, Cause: analyze.DataAfterClose}
	const at = "the server closed 1.0 ms after the client had opened the connection, and said nothing"
	d := dialogue{}.put(time.Millisecond, words.Server, fin, "")
	holds(t, "at once", d.put(0, words.Client, fin, ""), at)
	holds(t, "after an answer", dialogue{}.server("hi").ends(0, words.Server), "")
	holds(t, "after a question", dialogue{}.client("hi").ends(0, words.Server), "")
	for name, back := range map[string]int{"known": 1, "not yet known": 0} {
		got, _, all := reasonOf(append(d[:1:1], sent{time.Millisecond, words.Client, ack, back, get}), byServer, known{})
		if want := at + "; what the client said (frame 4) came 1.0 ms after that"; got != want || all.Kind != analyze.ReasonUnheard {
			t.Errorf("%s: %q, %v, want %q", name, got, all.Kind, want)
		}
	}
}

// TestSealed holds what the lengths and times of records of TLS tell that can't be read.
func TestSealed(t *testing.T) {
	server := record(22, "\x02\x00\x00\x36\x03\x03"+strings.Repeat("r", 32)+"\x00\x13\x01\x00\x00\x06\x00\x2b\x00\x02\x03\x04")
	sealed := func(n int) string { return record(23, strings.Repeat("s", n)) }
	shake := dialogue{}.client(hello).server(server + sealed(900))
	const finished, alert = 4 + 32 + 17, 2 + 17
	const refused = "the server ended it: an encrypted TLS record as long as an alert, in answer to the client's handshake"
	holds(t, "refused", shake.client(sealed(finished)).server(sealed(alert)).ends(0, words.Server), refused+" (frame 6), then closed")
	holds(t, "no certificate", shake.client(sealed(8+17)+sealed(finished)).server(sealed(alert)).ends(0, words.Server),
		refused+": a certificate was asked for, and the client sent none (frame 6), then closed")
	holds(t, "a certificate", shake.client(sealed(700)+sealed(finished)).server(sealed(alert)).ends(0, words.Client),
		refused+": a certificate was asked for, and the client sent one (frame 6), then the client closed")
	holds(t, "tickets", shake.client(sealed(finished)).server(sealed(250)+sealed(alert)).ends(0, words.Server), "")
	holds(t, "closed by the client", shake.client(sealed(finished)).client(sealed(alert)).server(sealed(alert)).ends(0, words.Server), "")
	in := shake.client(sealed(finished) + sealed(40)).server(sealed(300))
	const woke = " ended it after 2.0 s of idling: its last message (frame 7) is encrypted, then "
	holds(t, "spoke last", in.put(wait, words.Server, ack, sealed(60)).ends(0, words.Server), "the server"+woke+"it closed")
	holds(t, "spoke last, and the client closed", in.put(wait, words.Server, ack, sealed(60)+sealed(alert)).ends(0, words.Client), "the server"+woke+"the client closed")
	late := in.put(wait, words.Server, ack, sealed(60)+sealed(alert)).put(0, words.Server, fin, "").put(time.Second, words.Client, ack, sealed(40))
	got, _, _ := reasonOf(late, &analyze.Reset{By: analyze.Server, Cause: analyze.DataAfterClose}, known{})
	if want := "; the server had ended it after 2.0 s of idling: its last message (frame 7) is encrypted"; !strings.HasSuffix(got, want) {
		t.Errorf("what comes late: %q, want it to end with %q", got, want)
	}
	holds(t, "said goodbye", in.put(wait, words.Client, ack, sealed(60)).ends(0, words.Client), "the client"+woke+"it closed")
	holds(t, "a slow answer", in.client(sealed(40)).put(wait, words.Server, ack, sealed(60)).ends(0, words.Server), "")
	holds(t, "answered", in.put(wait, words.Client, ack, sealed(60)).server(sealed(60)).ends(0, words.Client), "")
	const inPlace = "the server ended it: a TLS alert, encrypted, in place of an answer to the client's last message: an error, or close_notify (frame 8), then "
	holds(t, "an alert alone", in.client(sealed(40)).server(sealed(alert)).ends(0, words.Server), inPlace+"closed")
	holds(t, "an alert alone, and the client closed", in.client(sealed(40)).server(sealed(alert)).ends(0, words.Client), inPlace+"the client closed")
	holds(t, "an answer and an alert", in.client(sealed(40)).server(sealed(90)+sealed(alert)).ends(0, words.Server), "")
	holds(t, "an alert, and a message that it did not know", in.server(sealed(alert)).client(sealed(40)).ends(0, words.Server), "")
	holds(t, "an alert of the client", in.client(sealed(40)+sealed(alert)).server(sealed(alert)).ends(0, words.Server), "")
	holds(t, "an alert after idling", in.client(sealed(40)).put(wait, words.Server, ack, sealed(alert)).ends(0, words.Server), "the server closed after 2.0 s of idling")
	holds(t, "no TLS there", dialogue{}.client(hello).server("500 what?\r\n").ends(0, words.Client), `the client closed before the TLS handshake was complete: the server answered no TLS but "500 what?"`)
}

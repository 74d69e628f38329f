package words_test

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/words"
)

// TestIMAP holds who ends a connection of IMAP, and that no message in a mailbox passes for what its server says.
func TestIMAP(t *testing.T) {
	const bye = "* BYE Disconnected for inactivity.\r\n"
	in := dialogue{}.server("* OK [CAPABILITY IMAP4rev1] ready.\r\n").client("a LOGIN {1}\r\n").server("+ OK\r\n").client("u {3+}\r\n\r\nx\r\n").server("a OK Logged in\r\n")
	mail := "From: x\r\n* BYE no\r\nb OK\r\n"
	long := "* 1 FETCH (" + strings.Repeat("x", 600)
	for name, tt := range map[string]struct {
		d    dialogue
		want string
	}{
		"BYE":               {in.put(wait, words.Server, ack, bye), "the server ended it: BYE Disconnected for inactivity. (frame 8) after 2.0 s of idling, then closed"},
		"in place of one":   {dialogue{}.server(bye), "the server ended it: BYE Disconnected for inactivity. (frame 3), then closed"},
		"LOGOUT":            {in.client("b logout\r\n").server("* BYE Logging out\r\nb OK\r\n"), "the client ended it: LOGOUT (frame 8), then the server closed"},
		"an error":          {in.client("b SELECT x\r\n").server("b NO [LIMIT] no\r\n"), "the server ended it: NO [LIMIT] no (frame 9), then closed"},
		"a message":         {in.client("b FETCH 1 BODY[]\r\n").server("* 1 FETCH (BODY[] {27}\r\n" + mail + ")\r\nb OK done\r\n"), ""},
		"after a long line": {in.client("b FETCH 1 ALL\r\n").server(long + " {27}\r\n" + mail + ")\r\nb OK done\r\n"), ""},
		"TLS":               {in.client("b STARTTLS\r\n").server("b OK go\r\n").client(hello).server(record(21, "\x02\x28")), "the server ended it: TLS alert: fatal handshake_failure (frame 11), then closed"},
	} {
		holds(t, name, tt.d.ends(0, words.Server), tt.want)
	}
	holds(t, "left", in.client("b SELECT x\r\n").server("b NO no\r\n").ends(0, words.Client), "the client closed without LOGOUT, having got NO no")
}

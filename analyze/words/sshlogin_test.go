package words_test

import (
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/words"
)

// TestSSHLogin holds that a close before the login is told by lengths alone: the message that lets the client in is the
// shortest, and no server speaks unasked before that.
func TestSSHLogin(t *testing.T) {
	keys := "SSH-2.0-x\r\n\x00\x00\x00\x0c\x0a\x15" + strings.Repeat("p", 10)
	sealed := func(n int) string { return strings.Repeat("s", n) }
	const before = "before the SSH login was complete, as far as the lengths of its messages tell"
	const grace = "; that was 2.0 s after the client had opened the connection (OpenSSH: LoginGraceTime)"
	const idle = "the server closed after 2.0 s of idling"
	asked := dialogue{}.client(keys).server(keys).client(sealed(44)).server(sealed(44))
	refused := asked.client(sealed(60)).server(sealed(76))
	holds(t, "in time", refused.ends(wait, words.Server), idle+", "+before+grace)
	holds(t, "not answered", asked.client(sealed(60)).ends(0, words.Client), "the client closed "+before)
	holds(t, "refused twice", refused.client(sealed(84)).server(sealed(76)).ends(0, words.Client), "the client closed "+before)
	holds(t, "not begun", asked.ends(wait, words.Server), idle)
	holds(t, "let in", refused.client(sealed(84)).server(sealed(28)).ends(wait, words.Server), idle)
	holds(t, "let in, and spoken to", refused.client(sealed(84)).server(sealed(500)).server(sealed(60)).ends(wait, words.Server), idle)
	holds(t, "no keys", dialogue{}.server("SSH-2.0-x\r\n").ends(wait, words.Server), idle+", before the SSH key exchange was complete: the client had said nothing"+grace)
}

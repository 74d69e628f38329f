package words

import (
	"fmt"

	"github.com/closecap/closecap/analyze"
)

// sshLogin tells by the lengths of encrypted messages that a client is not logged in: SSH_MSG_USERAUTH_SUCCESS is one byte
// (RFC 4252 5.1), so that its packet is shorter than that of the SSH_MSG_SERVICE_ACCEPT which came before, 17 bytes
// (RFC 4253 10). Every other answer to a request for a login is longer.
type sshLogin struct {
	asked  bool // the client spoke last
	accept int  // how long the answer was to the first that it said since the keys are in use
	tries  bool // it has said something after that
	lost   bool // an answer was shorter, answered nothing, or was not captured
}

// says takes the next bytes that can't be read.
func (l *sshLogin) says(e End, n int) {
	switch {
	case e == Client:
		l.asked, l.tries = true, l.accept > 0
	case l.asked && l.accept == 0:
		l.asked, l.accept = false, n
	case l.accept > 0:
		l.lost = l.lost || n < l.accept || !l.asked
		l.asked = false
	}
}

// open reports whether the client is not logged in, as far as lengths tell.
func (l *sshLogin) open() bool { return l.tries && !l.lost }

// sshNoLogin is what was not complete then.
const sshNoLogin = "the SSH login was complete, as far as the lengths of its messages tell"

// grace says when a server of SSH closed that waited for a login, and what OpenSSH calls its limit (sshd_config(5)).
func (x *ended) grace() string {
	if x.closer != Server || x.rest == nil || x.of == nil || x.of.name != "ssh" || x.idled() == 0 {
		return ""
	}
	return fmt.Sprintf("; that was %s after the client had opened the connection (OpenSSH: LoginGraceTime)", analyze.Span(x.ends[Server].over.time.Sub(x.opened)))
}

//go:build amd64 || arm64

package trace

import (
	"fmt"

	"github.com/closecap/closecap/analyze/event"
)

// enterDup2 also looks at the descriptor that dup2 and dup3 silently close.
func enterDup2(t *tracer, th *thread, c *call) bool {
	enterFD(t, th, c)
	target := int(int32(c.args[1]))
	if target == c.fd {
		return false
	}
	if old := t.socketAt(th, target); old != nil {
		c.victims = []victim{t.victim(th, target, old)}
	}
	if c.sock == nil && c.victims == nil {
		th.files.forget(target)
		return false
	}
	return true
}

// leaveDup completes dup, dup2, dup3 and fcntl's F_DUPFD. The new descriptor is the same socket.
func leaveDup(t *tracer, th *thread, c *call, e event.Call) {
	if e.Errno != "" {
		if c.sock != nil {
			t.deliver(c.sock, e)
		}
		return
	}
	if c.victims != nil {
		implicit := e
		implicit.Name, implicit.Syscall, implicit.Ret = "close", c.row.name, 0
		implicit.Note = fmt.Sprintf("closed by %s", c.row.name)
		t.closed(th, c.victims, implicit)
	}
	th.files.set(int(e.Ret), c.sock)
	if c.sock != nil {
		e.Args = fmt.Sprintf("to fd %d", e.Ret)
		t.deliver(c.sock, e)
	}
}

//go:build amd64 || arm64

package follow

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/bpf"
	"github.com/closecap/closecap/capture/trace"
)

// cutOff says of e which signal ended its wait, and of one that was about to end the thread that it never returned:
// to the kernel it did.
func cutOff(c *bpf.Call, e *event.Call) {
	if c.Signals>>(unix.SIGKILL-1)&1 == 0 {
		if c.Kind == bpf.CloseCall {
			e.Signal = trace.FirstSignal(c.Signals)
		}
		return
	}
	status, by := unix.WaitStatus(c.Status), "another thread"
	switch {
	case status.Signaled():
		e.Signal = unix.SignalName(status.Signal())
		by = e.Signal
	case c.Status != 0:
		by = fmt.Sprintf("exit %d", status.ExitStatus())
	}
	e.Ret, e.Errno, e.End, e.Abandoned, e.Note = -1, "", 0, c.End, "did not return: "+by+" ended its thread"
}

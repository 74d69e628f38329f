package endings

import (
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// TestListenersReset tells what a listener's RST says: one with a request in SYN_RECV had no room in its accept queue,
// one without knows nothing of the connection, and a SYN that it refuses is refused.
func TestListenersReset(t *testing.T) {
	for _, tt := range []struct {
		reason string
		flags  event.Flags
		want   analyze.ResetCause
	}{
		{"INVALID_SYN", event.ACK, analyze.AcceptQueueFull},
		{"INVALID_SYN", event.SYN, analyze.ConnRefused},
		{"TCP_FLAGS", event.ACK, analyze.NoSocket},
	} {
		r := &event.KernelReset{Reason: tt.reason, State: event.Listen, Offender: &event.Offender{Flags: tt.flags}}
		if got, sure := Cause(r, nil); got != tt.want || sure != analyze.InKernel {
			t.Errorf("Cause(%s, %s) = %s, %s, want %s", tt.reason, tt.flags, got, sure, tt.want)
		}
	}
}

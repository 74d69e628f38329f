package join

import (
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// isListening reports whether the call was made on a bound socket that never had a peer.
func isListening(c *analyze.Call) bool {
	return c.Connection == 0 && c.Local.IsValid() && !c.Remote.IsValid()
}

func succeeded(c *analyze.Call) bool { return c.Errno == "" && c.End != 0 }

// endsWriting reports whether the call ends its side's stream: a shutdown of the write
// side, or a close that left no other descriptor. A call in progress may still hold the socket.
func endsWriting(c *analyze.Call) bool {
	switch c.Kind() {
	case event.ShutdownCall:
		return c.Errno == "" && !shutsOnlyReading(c)
	case event.CloseCall:
		return c.Errno == "" && !slices.ContainsFunc(c.Holders, isDescriptor)
	}
	return false
}

// isDescriptor reports whether the holder is more than a thread inside a call.
func isDescriptor(h event.Holder) bool { return h.FD >= 0 }

func shutsOnlyReading(c *analyze.Call) bool {
	return c.Kind() == event.ShutdownCall && !strings.Contains(c.Args, "WR")
}

// mayReset reports whether the call can abort its own connection.
func mayReset(c *analyze.Call) bool {
	return c.Kind() == event.CloseCall && len(c.Holders) == 0 || c.IsDisconnect()
}

package analyze

import "github.com/closecap/closecap/analyze/event"

// ClosingCall returns the first call of a run that closed, shut down or abandoned an end of a
// connection, the one that a comparison asks about; nil when there is none. Of calls that a
// script makes at the same time it is the client's.
func ClosingCall(res *Result) *Call {
	var found *Call
	for _, c := range res.Calls {
		closes := c.Kind() == event.CloseCall || c.Kind() == event.ShutdownCall || c.IsDisconnect()
		if !closes || c.Errno != "" || c.Connection == 0 && len(c.Caused) == 0 {
			continue
		}
		if found == nil || found.At != "" && c.At == found.At && c.Side == Client && found.Side == Server {
			found = c
		}
	}
	return found
}

// Opening returns the call that gave side of the connection its descriptor, nil when none
// was recorded.
func Opening(res *Result, connection int, side Side) *Call {
	for _, c := range res.Calls {
		opens := c.Kind() == event.ConnectCall || c.Kind() == event.AcceptCall
		if opens && c.Errno == "" && c.Connection == connection && c.Side == side {
			return c
		}
	}
	return nil
}

//go:build linux && (amd64 || arm64)

package trace_test

import (
	"slices"
	"testing"

	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/capture/trace"
)

// TestPolls tells of HUP by poll and by epoll, of what was asked for too, and does not repeat itself
// unless every call is asked for.
func TestPolls(t *testing.T) {
	r := recordProgram(t, "polls")
	polls := only(r.calls, "poll")
	half, whole := "ppoll POLLIN|POLLRDHUP POLLIN|POLLRDHUP", "epoll_pwait POLLIN|POLLRDHUP POLLIN|POLLRDHUP|POLLHUP"
	if got, want := pollRows(polls), []string{half, whole}; !slices.Equal(got, want) {
		t.Errorf("polls = %q, want %q", got, want)
	}
	for _, c := range polls {
		if c.Socket != only(r.calls, "accept")[0].Socket {
			t.Errorf("%s: socket %x, want the accepted one", c.Syscall, c.Socket)
		}
	}
	r = record(t, programOptions("polls", trace.Options{AllCalls: true}))
	if got, want := pollRows(only(r.calls, "poll")), []string{"ppoll POLLIN POLLIN", half, half, whole}; !slices.Equal(got, want) {
		t.Errorf("with AllCalls: polls = %q, want %q", got, want)
	}
}

func pollRows(polls []*event.Call) (rows []string) {
	for _, c := range polls {
		rows = append(rows, c.Syscall+" "+c.Args+" "+c.Text)
	}
	return rows
}

// TestData carries bytes by every call that can, and ends with a disconnect.
func TestData(t *testing.T) {
	r := recordProgram(t, "data")
	calls := after(r.calls)
	type data struct{ name, syscall, text string }
	var got []data
	for _, c := range r.calls[len(r.calls)-len(calls):] {
		if c.Name == "send" || c.Name == "recv" {
			got = append(got, data{c.Name, c.Syscall, c.Text})
		}
	}
	want := []data{
		{"send", "writev", "writev"}, {"recv", "readv", "writev"}, {"send", "sendmsg", "sendmsg"},
		{"recv", "recvfrom", "sendmsg"}, {"recv", "recvmsg", "sendmsg"}, {"send", "sendfile", ""},
		{"recv", "splice", ""}, {"send", "splice", ""},
	}
	if !slices.Equal(got, want) {
		t.Errorf("data calls = %+v,\nwant %+v", got, want)
	}
	wantEnd := []string{
		"setsockopt(1, SO_LINGER, {l_onoff=1, l_linger=0}) = 0",
		"setsockopt(1, TCP_NODELAY, 1) = 0",
		"getsockopt(1, SO_ERROR) = 0",
		"connect(1, AF_UNSPEC) = 0",
		"exit(0, 0) = 0", "exit(1, 0) = 0", "exit(2, 0) = 0",
	}
	if end := calls[len(calls)-len(wantEnd):]; !slices.Equal(end, wantEnd) {
		t.Errorf("calls end with %q,\nwant %q", end, wantEnd)
	}
	peeked := slices.ContainsFunc(only(r.calls, "recv"), func(c *event.Call) bool { return c.Peek && c.Syscall == "recvfrom" })
	if !peeked {
		t.Error("no recv is marked as a peek")
	}
}

// TestNonblocking folds EAGAIN into a note, unless every call is asked for.
func TestNonblocking(t *testing.T) {
	r := recordProgram(t, "nonblocking")
	recv := only(r.calls, "recv")
	if len(recv) != 1 || recv[0].Note != "after 3 × EAGAIN" || recv[0].Ret != 3 {
		t.Errorf("recv = %+v, want one with a note of 3 before it", recv)
	}
	if r.result.Folded < 3 {
		t.Errorf("folded = %d, want 3 and more", r.result.Folded)
	}
	r = record(t, programOptions("nonblocking", trace.Options{AllCalls: true}))
	if recv := only(r.calls, "recv"); len(recv) != 4 || recv[0].Errno != "EAGAIN" || r.result.Folded != 0 {
		t.Errorf("with AllCalls: %d recv, %d folded, want 4 and 0", len(recv), r.result.Folded)
	}
}

// TestRefused keeps the address that a refused connect was made from.
func TestRefused(t *testing.T) {
	connects := only(recordProgram(t, "refused").calls, "connect")
	c := connects[len(connects)-1]
	if c.Errno != "ECONNREFUSED" || !c.Local.Addr().IsLoopback() || c.Local.Port() == 0 || c.Remote.String() != c.Args {
		t.Errorf("connect = %s from %v to %v, want ECONNREFUSED with both addresses", c.Errno, c.Local, c.Remote)
	}
}

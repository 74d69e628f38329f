package join

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// TestUncaptured joins calls on a connection of which no packet was captured, beside one that was.
func TestUncaptured(t *testing.T) {
	rec := exchange(1, 4)
	local, remote := netip.MustParseAddrPort("10.0.0.1:80"), netip.MustParseAddrPort("10.0.0.9:4000")
	for _, name := range []string{"recv", "close"} {
		rec.Calls = append(rec.Calls, &event.Call{ID: len(rec.Calls) + 1, Name: name, FD: 9, PID: 1, Local: local, Remote: remote, Start: 5, End: 6, RecvQ: -1})
	}
	rec.Calls = append(rec.Calls, &event.Call{ID: len(rec.Calls) + 1, Name: "close", FD: 3, PID: 1, Local: local, Start: 7, End: 8, RecvQ: -1})
	other := netip.MustParseAddrPort("10.0.0.1:99") // bound, and no more
	held := []event.Holder{{Actor: "child", PID: 7, FD: 3}}
	rec.Calls = append(rec.Calls,
		&event.Call{ID: len(rec.Calls) + 1, Name: "listen", FD: 3, PID: 1, Local: local, Start: 1, End: 2, RecvQ: -1},
		&event.Call{ID: len(rec.Calls) + 2, Name: "close", FD: 4, PID: 1, Local: other, Start: 7, End: 8, RecvQ: -1},
		&event.Call{ID: len(rec.Calls) + 3, Name: "close", FD: 5, PID: 1, Local: local, Start: 7, End: 8, RecvQ: -1, Holders: held})
	res := Join(rec, analyze.Options{})
	if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "1 connection ") || !strings.Contains(res.Warnings[0], "10.0.0.1:80 and 10.0.0.9:4000") {
		t.Errorf("warnings %q, want one of 10.0.0.1:80 and 10.0.0.9:4000", res.Warnings)
	}
	want := map[int]string{
		9: "no packet of this connection was captured",
		3: "nothing on the wire: a listening socket has no peer",
		4: "nothing on the wire: this socket has no peer",
		5: "nothing on the wire: a listening socket has no peer; child, pid 7 still holds this socket as fd 3",
	}
	for _, c := range res.Calls {
		if c.Name == "close" && c.PID == 1 {
			if c.Explain != want[c.FD] {
				t.Errorf("close %d: %q, want %q", c.FD, c.Explain, want[c.FD])
			}
			delete(want, c.FD)
		}
	}
	if len(want) != 0 {
		t.Errorf("not explained: %v", want)
	}
	for i := range rec.Calls {
		rec.Calls[i].Remote = netip.AddrPort{}
	}
	if res := Join(rec, analyze.Options{}); len(res.Warnings) != 0 {
		t.Errorf("warnings %q of listeners", res.Warnings)
	}
}

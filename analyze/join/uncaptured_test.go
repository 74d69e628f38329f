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
	res := Join(rec, analyze.Options{})
	if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "1 connection ") || !strings.Contains(res.Warnings[0], "10.0.0.1:80 and 10.0.0.9:4000") {
		t.Errorf("warnings %q, want one of 10.0.0.1:80 and 10.0.0.9:4000", res.Warnings)
	}
	want := map[string]string{"close 9": "no packet of this connection was captured", "close 3": "nothing on the wire: a listening socket has no peer"}
	for _, c := range res.Calls {
		if c.Name == "close" && c.PID == 1 {
			key := map[int]string{9: "close 9", 3: "close 3"}[c.FD]
			if c.Explain != want[key] {
				t.Errorf("%s: %q, want %q", key, c.Explain, want[key])
			}
			delete(want, key)
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

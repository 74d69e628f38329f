package closecap

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
)

// TestRelays holds what ties the two connections of haproxy (7601, 7603, 7604), nginx (7605) and socat (7606) to what
// they were set up to do, and that each says how the other leg had ended before. Of two that socat relayed at once,
// which are alike, none is tied.
func TestRelays(t *testing.T) {
	all, _ := analyzed(t, "analyze/words/testdata/relays.pcap", Options{Words: true, Relays: true})
	var got []string
	for _, c := range all {
		line := fmt.Sprintf("%d %d", c.ID, c.Server.Port())
		if r := c.Relay; r != nil {
			line += fmt.Sprintf(" %s leg %d %s", r.Side, r.Leg, r.Same)
			if r.Confidence != analyze.Inferred || c.Server.Port() < 7700 != (r.Side == analyze.Server) {
				t.Errorf("connection %d: %+v", c.ID, r)
			}
			if e := r.Ended; e != nil {
				line += fmt.Sprintf(": %v %s", e.Peer.Addr(), e.Reason)
			}
		}
		got = append(got, line)
	}
	want := strings.Split(strings.TrimSpace(`
1 7603 server leg 2 request: 10.9.0.3 the server closed 100.3 ms after the last request, with no answer to GET /none HTTP/1.1 (frame 8)
2 7703 client leg 1 request
3 7603 server leg 4 request: 10.9.0.3 the server closed 100.6 ms after the last request, with no answer to GET /nonerst HTTP/1.1 (frame 26)
4 7703 client leg 3 request
5 7603 server leg 6 request: 10.9.0.3 the server ended it: HTTP/1.1 503 Service Unavailable (Connection: close): "busy" (frame 44), then closed
6 7703 client leg 5 request
7 7605 server leg 8 request: 10.9.0.3 the server ended it: Close 1001 (going away) "restarts" (frame 72), then closed
8 7703 client leg 7 request
9 7601 server leg 10 bytes: 10.9.0.3 the server closed
10 7701 client leg 9 bytes
11 7604 server leg 12 bytes: 10.9.0.3 the client closed after 1.5 s of idling, no request was outstanding
12 7701 client leg 11 bytes
13 7606
14 7701
15 7606
16 7701
17 7606 server leg 18 bytes
18 7701 client leg 17 bytes: 10.9.0.1 the client reset it (frame 186), aborted
19 7606 server leg 20 bytes: 10.9.0.3 the server ended it: -ERR max number of clients reached (frame 149), then closed
20 7701 client leg 19 bytes
`), "\n")
	if diff := cmp.Diff(want, inOrder(got)); diff != "" {
		t.Errorf("relays (-want +got):\n%s", diff)
	}
}

// tiedUpstreams are the connections, a line each: how each ended, and as whose leg.
func tiedUpstreams(all []*analyze.Connection) []string {
	var got []string
	for _, c := range all {
		line := fmt.Sprintf("%d %d %s", c.ID, c.Server.Port(), c.Ending)
		if r := c.Relay; r != nil {
			line += fmt.Sprintf(" %s leg %d %s by %s", r.Side, r.Leg, r.Same, strings.Split(r.Actor, "[")[0])
			if e := r.Ended; e != nil {
				line += fmt.Sprintf(": %v %s, answered %v", e.Peer.Port(), e.Reason, e.Answered)
			}
		}
		got = append(got, line)
	}
	return got
}

// TestNoUpstream holds what is said of a gateway's 502 and 503 by its calls, of nginx (7861) and haproxy (7863, and 7864 in
// TCP mode): what became of the connection that it had opened for the request. Of several tries the last is named, and of
// one that another thread opened than had accepted nothing is said.
func TestNoUpstream(t *testing.T) {
	all, _ := analyzed(t, "analyze/words/testdata/traced-no-upstream.pcapng", Options{Words: true, Relays: true})
	want := strings.Split(strings.TrimSpace(`
1 7861 graceful server leg 2 nothing-back by nginx: 7999 refused (frame 63), answered true
2 7999 refused client leg 1 nothing-back by nginx
3 7863 graceful server leg 7 nothing-back by haproxy: 7999 refused (frame 123), answered true
4 7999 refused client leg 3 nothing-back by haproxy
5 7999 refused client leg 3 nothing-back by haproxy
6 7999 refused client leg 3 nothing-back by haproxy
7 7999 refused client leg 3 nothing-back by haproxy
8 7864 graceful server leg 12 nothing-back by haproxy: 7999 refused (frame 182), answered false
9 7999 refused
10 7999 refused client leg 8 nothing-back by haproxy
11 7999 refused client leg 8 nothing-back by haproxy
12 7999 refused client leg 8 nothing-back by haproxy
13 7863 graceful server leg 14 request by haproxy: 7997 the server closed 2.1 ms after the last request, with no answer to GET /rst HTTP/1.1 (frame 215), answered true
14 7997 reset client leg 13 request by haproxy
`), "\n")
	if diff := cmp.Diff(want, inOrder(tiedUpstreams(all))); diff != "" {
		t.Errorf("relays (-want +got):\n%s", diff)
	}
}

// TestNoUpstreamByKernel holds the same of calls that the kernel told of, without what they carried: that it was a 502 or
// a 503 the packets tell, of nginx (7861) and haproxy (7863, 7864). Without last words nothing is tied.
func TestNoUpstreamByKernel(t *testing.T) {
	const file = "analyze/words/testdata/traced-no-upstream-bpf.pcapng"
	all, _ := analyzed(t, file, Options{Words: true, Relays: true})
	want := strings.Split(strings.TrimSpace(`
1 7861 graceful server leg 2 nothing-back by nginx: 7999 refused (frame 11), answered true
2 7999 refused client leg 1 nothing-back by nginx
3 7861 graceful server leg 4 nothing-back by nginx: 7997 the server closed 0.2 ms after the last request, with no answer to GET /rst HTTP/1.0 (frame 35), answered true
4 7997 reset client leg 3 nothing-back by nginx
5 7861 graceful
6 7863 graceful server leg 7 nothing-back by haproxy: 7997 the server closed 51 µs after the last request, with no answer to GET /rst HTTP/1.1 (frame 79), answered true
7 7997 reset client leg 6 nothing-back by haproxy
8 7864 graceful server leg 9 nothing-back by haproxy: 7999 refused (frame 104), answered true
9 7999 refused client leg 8 nothing-back by haproxy
`), "\n")
	if diff := cmp.Diff(want, inOrder(tiedUpstreams(all))); diff != "" {
		t.Errorf("relays (-want +got):\n%s", diff)
	}
	all, _ = analyzed(t, file, Options{})
	for _, c := range all {
		if c.Relay != nil {
			t.Errorf("connection %d without words: %+v", c.ID, c.Relay)
		}
	}
}

// TestRefusedBackends holds the same of packets alone, of haproxy (7863) with one retry a second later: what was refused is
// tied to the one request that waited at its address, and to none of two.
func TestRefusedBackends(t *testing.T) {
	all, _ := analyzed(t, "analyze/words/testdata/relays-refused.pcap", Options{Words: true, Relays: true})
	var got []string
	for _, c := range all {
		line := fmt.Sprintf("%d %d %s", c.ID, c.Server.Port(), c.Ending)
		if r := c.Relay; r != nil {
			line += fmt.Sprintf(" %s leg %d %s", r.Side, r.Leg, r.Same)
			if e := r.Ended; e != nil {
				line += fmt.Sprintf(": %v %s, answered %v, %s", e.Peer.Port(), e.Reason, e.Answered, e.Confidence)
			}
		}
		got = append(got, line)
	}
	want := strings.Split(strings.TrimSpace(`
1 7863 graceful server leg 3 nothing-back: 7999 refused (frame 9), answered true, inferred
2 7999 refused client leg 1 nothing-back
3 7999 refused client leg 1 nothing-back
4 7863 graceful server leg 7 nothing-back: 7999 refused (frame 37), answered true, inferred
5 7996 reset
6 7999 refused client leg 4 nothing-back
7 7999 refused client leg 4 nothing-back
8 7863 graceful server leg 9 nothing-back: 7999 refused (frame 47), answered true, inferred
9 7999 refused client leg 8 nothing-back
10 7863 graceful server leg 13 nothing-back: 7999 refused (frame 64), answered true, inferred
11 7999 refused
12 7999 refused
13 7999 refused client leg 10 nothing-back
`), "\n")
	if diff := cmp.Diff(want, inOrder(got)); diff != "" {
		t.Errorf("relays (-want +got):\n%s", diff)
	}
}

// inOrder sorts lines by the number that they begin with.
func inOrder(lines []string) []string {
	sorted := make([]string, len(lines))
	for _, l := range lines {
		n := 0
		fmt.Sscan(l, &n)
		sorted[n-1] = l
	}
	return sorted
}

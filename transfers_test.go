package closecap

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
)

// TestTransfers holds what is said of the data connections of vsftpd (21), proftpd (2121) and pure-ftpd (2122) to what was
// done: their own logs call each upload whose client was killed, or had given up, complete.
func TestTransfers(t *testing.T) {
	all, _ := analyzed(t, "analyze/words/testdata/server-ftp-transfers.pcap", Options{Words: true})
	slices.SortFunc(all, func(a, b *analyze.Connection) int { return a.ID - b.ID })
	var got []string
	for _, c := range all {
		if r := c.Transfer; r != nil {
			got = append(got, strings.TrimSpace(fmt.Sprintf("%d %d %s %s %s", c.ID, r.Server.Port(), r.Command, r.Outcome, r.Reply)))
		}
	}
	want := strings.Split(strings.TrimSpace(`
2 21 STOR complete 226 Transfer complete.
4 21 STOR complete 226 Transfer complete.
6 21 STOR untold 226 Transfer complete.
8 21 STOR untold 226 Transfer complete.
10 21 STOR untold 226 Transfer complete.
12 21 RETR complete 226 Transfer complete.
14 21 RETR complete 226 Transfer complete.
16 21 RETR cut 426 Failure writing network stream.
18 21 RETR cut 426 Failure writing network stream.
20 21 STOR untold 226 Transfer complete.
22 21 RETR untold
24 21 STOR untold
26 21 STOR cut 421 Data timeout. Reconnect. Sorry.
28 21 RETR refused 550 Failed to open file.
30 21
32 21 STOR complete 226 Transfer complete.
34 21 STOR complete 226 Transfer complete.
36 21 STOR complete 226 Transfer complete.
37 21 STOR complete 226 Transfer complete.
38 21 LIST complete 226 Directory send OK.
40 2121 STOR complete 226 Transfer complete
42 2121 STOR untold 226 Transfer complete
44 2121 RETR cut 426 Transfer aborted. Data connection closed
46 2121 STOR untold 226 Transfer complete
48 2121 STOR untold
50 2121 STOR untold
52 2121 RETR untold
54 2121 STOR refused 550 ro/x: Permission denied
56 2122 RETR untold 226 Since you see this ABOR must've succeeded
58 2122 STOR untold 226 0.304 seconds (measured here), 9.64 Kbytes per second
60 2122 STOR cut 426 Transfer aborted
62 2122 STOR
64 21 STOR cut 426 Failure reading network stream.
66 2122 STOR cut 451 0.102 seconds (measured here), 19.09 Kbytes per second
`), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("transfers (-want +got):\n%s", diff)
	}
}

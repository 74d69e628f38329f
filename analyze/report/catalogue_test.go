package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
)

func someCatalogue() *analyze.Catalogue {
	return &analyze.Catalogue{
		Schema: analyze.Schema, Tool: "closecap test", Kernel: &analyze.Kernel{Release: "6.1.0", Netns: "private"},
		Scenarios: []analyze.Outline{
			{Scenario: "close", Title: "a title", Connections: 1, Ending: analyze.WasReset, Closer: analyze.Client,
				Cause: analyze.DataAfterClose, ResetBy: analyze.Client, Expected: 3, Met: 3, NS: 12_000_000},
			{Scenario: "time-wait", Connections: 1, Ending: analyze.Graceful, Closer: analyze.Both, Expected: 3, Met: 2, NS: 1_500_000,
				TimeWait: []analyze.TimeWait{{Holder: analyze.Client}, {Holder: analyze.Server, EndedBy: "rst"}},
				Unmet:    []analyze.Expectation{{At: "time-wait:9", Text: "expect no-reset", Got: "frame 7 is an RST"}}},
			{Scenario: "lost-fin", Cannot: "it needs a private network namespace"},
			{Scenario: "half-open", Cannot: "it needs a private network namespace"},
			{Scenario: "=x", Connections: 0, Failed: "=x:3: client recv had not\nreturned"},
		},
	}
}

func TestCatalogue(t *testing.T) {
	tests := []struct {
		format Format
		width  int
		want   string
	}{
		{Table, 0, `
5 scenarios | Linux 6.1.0 | each in a private namespace
+-----------+----------+--------+----------------------------+------------------------------+------------------+----+
| scenario  | ending   | closer | cause                      | TIME_WAIT                    | expectations met | ms |
+-----------+----------+--------+----------------------------+------------------------------+------------------+----+
| close     | reset    | client | data-after-close by client | -                            |           3 of 3 | 12 |
| time-wait | graceful | both   | -                          | client; server, ended by rst |           2 of 3 |  1 |
| lost-fin  |          |        |                            |                              |  cannot run here |    |
| half-open |          |        |                            |                              |  cannot run here |    |
| =x        |          |        |                            |                              |           failed |    |
+-----------+----------+--------+----------------------------+------------------------------+------------------+----+
lost-fin and half-open cannot run here: it needs a private network namespace
time-wait:9: expect no-reset: got frame 7 is an RST
=x failed: =x:3: client recv had not\nreturned
as expected: 1 of 3 scenarios, 5 of 6 expectations met; 2 could not be run here
`},
		{Table, 72, `
5 scenarios | Linux 6.1.0 | each in a private namespace
+-----------+------------------+--------+-----------+-----------------+
| scenario  | ending           | closer | TIME_WAIT |             met |
+-----------+------------------+--------+-----------+-----------------+
| close     | reset:           | client | -         |          3 of 3 |
|           | data-after-close |        |           |                 |
| time-wait | graceful         | both   | client;   |          2 of 3 |
|           |                  |        | server,   |                 |
|           |                  |        | ended by  |                 |
|           |                  |        | rst       |                 |
| lost-fin  |                  |        |           | cannot run here |
| half-open |                  |        |           | cannot run here |
| =x        |                  |        |           |          failed |
+-----------+------------------+--------+-----------+-----------------+
lost-fin and half-open cannot run here: it needs a private network
  namespace
time-wait:9: expect no-reset: got frame 7 is an RST
=x failed: =x:3: client recv had not\nreturned
as expected: 1 of 3 scenarios, 5 of 6 expectations met; 2 could not be
  run here
`},
		{CSV, 0, `
scenario,ending,closer,reset_cause,reset_by,time_wait,expected,met,ns,cannot,failed
close,reset,client,data-after-close,client,,3,3,12000000,,
time-wait,graceful,both,,,client server,3,2,1500000,,
lost-fin,,,,,,0,0,0,it needs a private network namespace,
half-open,,,,,,0,0,0,it needs a private network namespace,
'=x,,,,,,0,0,0,,'=x:3: client recv had not\nreturned
`},
	}
	for _, tt := range tests {
		var b strings.Builder
		if err := WriteCatalogue(&b, tt.format, someCatalogue(), Options{Width: tt.width}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.TrimPrefix(tt.want, "\n"), b.String()); diff != "" {
			t.Errorf("%s, width %d (-want +got):\n%s", tt.format, tt.width, diff)
		}
	}
}

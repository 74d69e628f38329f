package kernel

import (
	"maps"
	"strings"
	"testing"
)

const netstat = `TcpExt: SyncookiesSent TW TCPAbortOnClose
TcpExt: 0 12 3
IpExt: InNoRoutes
IpExt: 0
Tcp: MaxConn ActiveOpens
Tcp: -1 7
`

func TestCounters(t *testing.T) {
	c := Counters{}
	if err := c.parse(strings.NewReader(netstat), "TcpExt", "Tcp"); err != nil {
		t.Fatal(err)
	}
	want := Counters{"SyncookiesSent": 0, "TW": 12, "TCPAbortOnClose": 3, "MaxConn": -1, "ActiveOpens": 7}
	if !maps.Equal(c, want) {
		t.Errorf("parse = %v, want %v", c, want)
	}
	before := Counters{"TW": 12, "TCPAbortOnClose": 2, "ActiveOpens": 7, "MaxConn": -1}
	if d := c.Since(before); len(d) != 1 || d["TCPAbortOnClose"] != 1 {
		t.Errorf("Since = %v, want TCPAbortOnClose 1 alone", d)
	}
}

func TestCountersDamaged(t *testing.T) {
	for _, text := range []string{
		"Tcp: MaxConn\n",
		"Tcp: MaxConn\nTcp: 1 2\n",
		"Tcp: MaxConn\nUdp: 1\n",
		"Tcp: MaxConn\nTcp: many\n",
		"\n\n",
	} {
		if err := (Counters{}).parse(strings.NewReader(text), "Tcp"); err == nil {
			t.Errorf("parse(%q) = nil, want an error", text)
		}
	}
}

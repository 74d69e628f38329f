package event

import (
	"strings"
	"testing"
)

func TestExpectationCheck(t *testing.T) {
	tests := []struct {
		e    Expectation
		want string // part of the error; "" for none
	}{
		{Expectation{Subject: "ending", Args: []string{"graceful"}}, ""},
		{Expectation{Subject: "no-reset"}, ""},
		{Expectation{Subject: "state", Args: []string{"client", "TIME_WAIT"}, After: 3, Connection: 2}, ""},
		{Expectation{Subject: "wire", Args: []string{"client SYN", "server DATA 12 again", "client ANY"}}, ""},
		{Expectation{Subject: "caused", Args: []string{"nothing"}}, ""},
		{Expectation{Subject: "counter", Args: []string{"TW", "1+"}}, ""},
		{Expectation{Subject: "colour", Args: []string{"red"}}, "unknown subject"},
		{Expectation{}, "unknown subject"},
		{Expectation{Subject: "state"}, "want arguments: 2, got 0"},
		{Expectation{Subject: "passed", Args: []string{"client"}}, "want arguments: 2 to 1024, got 1"},
		{Expectation{Subject: "no-wire"}, "want arguments: 1, got 0"},
		{Expectation{Subject: "holder"}, "want arguments: 1, got 0"},
		{Expectation{Subject: "state", Args: []string{"both", "CLOSED"}}, `argument "both"`},
		{Expectation{Subject: "state", Args: []string{"client", "ASLEEP"}}, `argument "ASLEEP"`},
		{Expectation{Subject: "counter", Args: []string{"TW", "x"}}, `argument "x"`},
		{Expectation{Subject: "wire", Args: []string{"client FIN client FIN"}}, "argument"},
		{Expectation{Subject: "wire", Args: []string{""}}, `argument ""`},
		{Expectation{Subject: "wire", Args: []string{"client DATA -1"}}, "argument"},
		{Expectation{Subject: "wire", Args: make([]string, mostArgs+1)}, "got 1025"},
		{Expectation{Subject: "no-reset", Connection: -5}, "connection -5"},
		{Expectation{Subject: "no-reset", After: -1}, "after call -1"},
	}
	for _, tt := range tests {
		err := tt.e.Check()
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Check(%.60v) = %v, want %q", tt.e, err, tt.want)
		}
	}
}

func TestCallCheck(t *testing.T) {
	good := func() *Call {
		return &Call{ID: 1, FD: -1, RecvQ: -1, Start: 5, Holders: []Holder{{FD: -1}}, Samples: []Sample{{Time: 5}}}
	}
	if err := good().Check(); err != nil {
		t.Errorf("Check() = %v, want nil", err)
	}
	for name, spoil := range map[string]func(*Call){
		"id": func(c *Call) { c.ID = -1 }, "pid": func(c *Call) { c.PID = -7 }, "tid": func(c *Call) { c.TID = -7 },
		"fd": func(c *Call) { c.FD = -2 }, "accepted": func(c *Call) { c.Accepted = -1 }, "recvq": func(c *Call) { c.RecvQ = -2 },
		"start": func(c *Call) { c.Start = -1 }, "end": func(c *Call) { c.End = -1 }, "abandoned": func(c *Call) { c.Abandoned = -1 },
		"holder": func(c *Call) { c.Holders[0].PID = -1 }, "left": func(c *Call) { c.Samples[0].Left = -1 },
	} {
		c := good()
		spoil(c)
		if c.Check() == nil {
			t.Errorf("Check accepts a spoilt %s", name)
		}
	}
}

func TestTimeBeyondNanoseconds(t *testing.T) {
	for _, text := range []string{"0001-01-01T00:00:00Z", "2500-01-01T00:00:00Z", "1600-01-01T00:00:00Z"} {
		var got Time
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("UnmarshalText(%s) = %d, want an error", text, got)
		}
	}
	for _, text := range []string{"1969-12-31T23:59:59Z", "2261-12-31T00:00:00.000000001Z"} {
		var got Time
		if err := got.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("UnmarshalText(%s): %v", text, err)
		}
	}
}

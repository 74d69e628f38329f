package diff

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/closecap/closecap/analyze"
)

func connection(id int, port uint16, ending analyze.Ending, closer analyze.Side) *analyze.Connection {
	return &analyze.Connection{ID: id, Server: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), port), Ending: ending, Closer: closer}
}

func sumOf(opt Options, cs ...*analyze.Connection) *Sum {
	s := NewSum(opt)
	for _, c := range cs {
		s.Connection(c)
	}
	return s
}

// TestShares compares shares and not numbers: twice as many that end as before are no change.
func TestShares(t *testing.T) {
	good, bad := connection(1, 80, analyze.Graceful, analyze.Client), connection(2, 80, analyze.WasReset, analyze.Server)
	bad.Reset = &analyze.Reset{By: analyze.Server, Cause: analyze.UnreadData, Why: []string{"left unread"}, Lost: analyze.Lost{Unread: 12}}
	for _, tt := range []struct {
		a, b      []*analyze.Connection
		tolerance float64
		same      bool
	}{
		{nil, nil, 0, true},
		{[]*analyze.Connection{good}, []*analyze.Connection{good, good}, 0, true},
		{[]*analyze.Connection{good, bad}, []*analyze.Connection{bad, good, good, bad}, 0, true},
		{[]*analyze.Connection{good}, []*analyze.Connection{good, bad}, 0, false},
		{[]*analyze.Connection{good}, []*analyze.Connection{good, bad}, 50, true},
		{[]*analyze.Connection{good}, []*analyze.Connection{good, bad}, 49.9, false},
		{[]*analyze.Connection{good}, nil, 100, false}, // a service that is gone
	} {
		opt := Options{Tolerance: tt.tolerance}
		if got := Compare(sumOf(opt, tt.a...), sumOf(opt, tt.b...), opt); got.Same != tt.same {
			t.Errorf("%d and %d connections, tolerance %v: same %v, want %v: %+v", len(tt.a), len(tt.b), tt.tolerance, got.Same, tt.same, got)
		}
	}
	d := Compare(sumOf(Options{}, good), sumOf(Options{}, good, bad), Options{})
	want := Fact{Claim: "cause", Value: "unread-data by server", B: 1, Change: 50, Changed: true,
		Example: &Instance{Of: "b", Connection: 2, Server: bad.Server, Why: []string{"left unread"}}}
	if diff := cmp.Diff(want, d.Services[0].Facts[len(d.Services[0].Facts)-2], cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("fact: want -, got +\n%s", diff)
	}
	lost := d.Services[0].Facts[len(d.Services[0].Facts)-1]
	if lost.Claim != "lost" || lost.Value != "unread" || lost.BytesB != 12 {
		t.Errorf("lost: %+v", lost)
	}
}

// TestServices are compared port by port, and as one where that is asked for.
func TestServices(t *testing.T) {
	a := []*analyze.Connection{connection(1, 4000, analyze.Graceful, analyze.Client)}
	b := []*analyze.Connection{connection(1, 5000, analyze.Graceful, analyze.Client)}
	if d := Compare(sumOf(Options{}, a...), sumOf(Options{}, b...), Options{}); d.Same || len(d.Services) != 2 || d.Services[0].Port != 4000 {
		t.Errorf("two ports: %+v", d)
	}
	together := Options{Together: true}
	if d := Compare(sumOf(together, a...), sumOf(together, b...), together); !d.Same || len(d.Services) != 1 {
		t.Errorf("together: %+v", d)
	}
}

// TestUnknown is a value of its own, and what it may be makes no difference.
func TestUnknown(t *testing.T) {
	doubt := func(may string) *analyze.Connection {
		c := connection(1, 80, analyze.WasReset, analyze.NoSide)
		c.Reset = &analyze.Reset{By: analyze.Client, Cause: analyze.UnknownCause}
		c.Candidates = []analyze.Possible{{Claim: analyze.ClaimCloser, Value: may}, {Claim: analyze.ClaimCause, Value: may}}
		return c
	}
	d := Compare(sumOf(Options{}, doubt("client")), sumOf(Options{}, doubt("server")), Options{})
	var values []string
	for _, f := range d.Services[0].Facts {
		values = append(values, f.Claim+" "+f.Value)
	}
	want := []string{"ending reset", "closer unknown", "half-close unknown", "cause unknown by client"}
	if diff := cmp.Diff(want, values); !d.Same || diff != "" {
		t.Errorf("same %v; want -, got +\n%s", d.Same, diff)
	}
}

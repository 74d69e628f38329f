// Package diff says what changed in how connections end between two captures, as before and after a release.
//
// It compares shares, by service, and not connections: no connection of one capture is one of the other. How many
// bytes were lost is told and not compared. Whether a change is more than chance it does not say; Options.Tolerance
// bounds what counts as one.
package diff

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/expect"
)

// Options say what counts as a change. The zero value works.
type Options struct {
	Tolerance float64 // percentage points by which a share may differ and be the same
	Together  bool    // all services as one
}

// Difference is what changed from A to B: `closecap diff --format json` writes it as it is.
type Difference struct {
	Schema    int       `json:"schema"`
	Tool      string    `json:"tool"`
	A         Compared  `json:"a"`
	B         Compared  `json:"b"`
	Tolerance float64   `json:"tolerance"` // percentage points
	Same      bool      `json:"same"`
	Services  []Service `json:"services"` // by port
}

// Compared is one of the two.
type Compared struct {
	Source      string   `json:"source"`
	Connections uint64   `json:"connections"`
	Gap         string   `json:"gap,omitempty"` // what it lacks as a whole
	Warnings    []string `json:"warnings"`
}

// Service is how the connections to one port ended.
type Service struct {
	Port  uint16  `json:"port"` // of the server; 0 for all together
	A     uint64  `json:"a"`    // connections
	B     uint64  `json:"b"`
	Facts []Fact  `json:"facts"`
	Same  bool    `json:"same"`
	Moved float64 `json:"moved"` // the largest change of a share, in percentage points
}

// Fact is a value that a claim about connections has, with how many have it.
type Fact struct {
	Claim   string    `json:"claim"` // ending, closer, half-close, cause, lost
	Value   string    `json:"value"` // a code; of a cause with its side, of lost bytes their kind
	A       uint64    `json:"a"`     // connections
	B       uint64    `json:"b"`
	BytesA  uint64    `json:"bytes_a,omitempty"` // of lost ones
	BytesB  uint64    `json:"bytes_b,omitempty"`
	Change  float64   `json:"change"` // of its share, in percentage points
	Changed bool      `json:"changed"`
	Example *Instance `json:"example,omitempty"` // a connection of which it was said, from where that was said more often
}

// Instance is a connection that shows a fact.
type Instance struct {
	Of         string         `json:"of"` // a or b
	Connection int            `json:"connection"`
	Client     netip.AddrPort `json:"client"`
	Server     netip.AddrPort `json:"server"`
	FirstFrame uint64         `json:"first_frame"`
	LastFrame  uint64         `json:"last_frame"`
	Why        []string       `json:"why,omitempty"` // the evidence
}

// claims are what is compared, in order.
var claims = []string{"ending", "closer", "half-close", "cause", "lost"}

// key is a fact without its numbers.
type key struct {
	claim int // in claims
	value string
}

type tally struct {
	connections, bytes uint64
	example            *Instance
}

// Sum adds up one capture. It keeps no connection.
type Sum struct {
	opt      Options
	all      uint64
	services map[uint16]*sum
}

type sum struct {
	connections uint64
	facts       map[key]*tally
}

// NewSum returns a Sum.
func NewSum(opt Options) *Sum { return &Sum{opt: opt, services: map[uint16]*sum{}} }

// Connection adds c.
func (s *Sum) Connection(c *analyze.Connection) {
	s.all++
	port := c.Server.Port()
	if s.opt.Together {
		port = 0
	}
	of := s.services[port]
	if of == nil {
		of = &sum{facts: map[key]*tally{}}
		s.services[port] = of
	}
	of.connections++
	of.add(c, "ending", string(c.Ending), 0)
	of.add(c, "closer", expect.Seen(c, "closer"), 0)
	of.add(c, "half-close", expect.Seen(c, "half-close"), 0)
	if got := expect.Seen(c, "reset"); got != "no reset" {
		of.add(c, "cause", got, 0)
	}
	lost := c.LostBytes()
	for _, k := range []struct {
		kind string
		n    uint64
	}{
		{"unacked", lost.Unacked}, {"unread", lost.Unread}, {"after-close", lost.AfterClose},
		{"discarded", lost.Discarded}, {"may be", lost.MayBe},
	} {
		if k.n > 0 {
			of.add(c, "lost", k.kind, k.n)
		}
	}
}

func (s *sum) add(c *analyze.Connection, claim, value string, bytes uint64) {
	k := key{slices.Index(claims, claim), value}
	t := s.facts[k]
	if t == nil {
		e := expect.ExampleOf(c)
		t = &tally{example: &Instance{
			Connection: e.Connection, Client: e.Client, Server: e.Server, FirstFrame: e.FirstFrame, LastFrame: e.LastFrame, Why: e.Why,
		}}
		s.facts[k] = t
	}
	t.connections++
	t.bytes += bytes
}

// Compare says what changed from a to b. Sources, gaps and warnings are the caller's.
func Compare(a, b *Sum, opt Options) *Difference {
	d := &Difference{Schema: analyze.Schema, Tolerance: opt.Tolerance, Same: true, Services: []Service{}}
	d.A, d.B = Compared{Connections: a.all, Warnings: []string{}}, Compared{Connections: b.all, Warnings: []string{}}
	ports := map[uint16]bool{}
	for _, s := range []*Sum{a, b} {
		for port := range s.services {
			ports[port] = true
		}
	}
	for port := range ports {
		s := compare(a.services[port], b.services[port], opt)
		s.Port = port
		d.Same = d.Same && s.Same
		d.Services = append(d.Services, s)
	}
	slices.SortFunc(d.Services, func(x, y Service) int { return cmp.Compare(x.Port, y.Port) })
	return d
}

func compare(a, b *sum, opt Options) Service {
	if a == nil {
		a = &sum{}
	}
	if b == nil {
		b = &sum{}
	}
	s := Service{A: a.connections, B: b.connections, Facts: []Fact{}, Same: a.connections > 0 && b.connections > 0}
	keys := map[key]bool{}
	for _, of := range []*sum{a, b} {
		for k := range of.facts {
			keys[k] = true
		}
	}
	order := make([]key, 0, len(keys))
	for k := range keys {
		order = append(order, k)
	}
	slices.SortFunc(order, func(x, y key) int { return cmp.Or(cmp.Compare(x.claim, y.claim), strings.Compare(x.value, y.value)) })
	for _, k := range order {
		f := fact(k, a, b, opt)
		s.Same = s.Same && !f.Changed
		if math.Abs(f.Change) > math.Abs(s.Moved) {
			s.Moved = f.Change
		}
		s.Facts = append(s.Facts, f)
	}
	return s
}

func fact(k key, a, b *sum, opt Options) Fact {
	f := Fact{Claim: claims[k.claim], Value: k.value}
	in, of := a.facts[k], "a"
	if in != nil {
		f.A, f.BytesA = in.connections, in.bytes
	}
	was, is := share(f.A, a.connections), 0.0
	if now := b.facts[k]; now != nil {
		f.B, f.BytesB = now.connections, now.bytes
		if is = share(f.B, b.connections); is >= was {
			in, of = now, "b"
		}
	}
	f.Change = math.Round((is-was)*1e6) / 1e6
	f.Changed = math.Abs(is-was) > opt.Tolerance+1e-9
	if f.Changed {
		example := *in.example
		example.Of = of
		f.Example = &example
	}
	return f
}

// share is n of all in percent.
func share(n, all uint64) float64 {
	if all == 0 {
		return 0
	}
	return 100 * float64(n) / float64(all)
}

// Points makes captures at several points with real kernels and holds what closecap says of them to what
// was done on the way: a client, a router and a server in network namespaces, one more router for what goes back, and
// between them boxes that lose packets and reset connections, and keep count. It counts claims, those that are right,
// and what they found.
//
//	points [-each N] [-only NAME] [-keep DIR]
//
// It needs root, tcpdump and nft. A claim "made on the way" that is wrong fails it, as do more than 5 of 1,000 wrong
// claims "lost on the way", and a scenario with a point at both ends in which less than half of what happened is claimed.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

var (
	each = flag.Int("each", 120, "connections of each scenario")
	only = flag.String("only", "", "only scenarios whose name holds this")
	keep = flag.String("keep", "", "folder in which the captures are kept")
)

// scenario is what happens on the way, and who sees it.
type scenario struct {
	name     string
	loss     float64
	firewall int // 1 between client and router, 2 between router and server
	swallow  int // likewise where every RST is lost
	nat      bool
	around   bool          // what goes to the client passes the router by, and through another where that is a point
	ahead    time.Duration // of the server's clock
	drift    float64       // by how much that is too fast
	drops    string        // the point whose capture lacks packets
	points   []string
	told     bool // the points are named, or found out
}

var scenarios = []scenario{
	{name: "loss between two points", loss: .02, points: []string{"client", "server"}, told: true},
	{name: "loss, and a router with -i any", loss: .02, points: []string{"client", "router", "server"}, told: true},
	{name: "nothing lost", points: []string{"client", "router", "server"}, told: true},
	{name: "firewall before the server", firewall: 2, points: []string{"client", "server"}, told: true},
	{name: "firewall before the router", loss: .01, firewall: 1, points: []string{"client", "router", "server"}, told: true},
	{name: "firewall, its resets are lost", loss: .005, firewall: 2, swallow: 1, points: []string{"client", "router", "server"}, told: true},
	{name: "firewall, its resets are lost there", loss: .005, firewall: 1, swallow: 2, points: []string{"client", "router", "server"}, told: true},
	{name: "firewall, found out", loss: .005, firewall: 2, points: []string{"client", "server"}},
	{name: "NAT", loss: .02, firewall: 2, nat: true, points: []string{"client", "server"}, told: true},
	{name: "NAT at a router with -i any", loss: .01, firewall: 1, nat: true, points: []string{"client", "router", "server"}, told: true},
	{name: "clocks 3 s apart, drifting", loss: .02, firewall: 2, ahead: 3 * time.Second, drift: 300e-6, points: []string{"client", "server"}, told: true},
	{name: "clocks 3 s apart, found out", loss: .01, firewall: 1, ahead: -3 * time.Second, points: []string{"client", "server"}},
	{name: "the server's capture drops", loss: .02, firewall: 2, drops: "server", points: []string{"client", "server"}, told: true},
	{name: "the client's capture drops", loss: .02, firewall: 1, drops: "client", points: []string{"client", "server"}, told: true},
	{name: "the router's capture drops", loss: .01, firewall: 1, drops: "router", points: []string{"client", "router", "server"}, told: true},
	{name: "asymmetric routes", loss: .02, firewall: 1, around: true, points: []string{"client", "router", "server"}, told: true},
	{name: "asymmetric routes, both with a point", loss: .01, firewall: 2, around: true, ahead: 3 * time.Second, points: []string{"client", "router", "back", "server"}, told: true},
	{name: "asymmetric routes, no client's point", loss: .01, firewall: 2, around: true, points: []string{"router", "back", "server"}, told: true},
	{name: "asymmetric routes, no server's point", loss: .01, firewall: 1, around: true, points: []string{"client", "router", "back"}, told: true},
	{name: "asymmetric routes, clocks apart", loss: .01, firewall: 2, around: true, ahead: 3 * time.Second, points: []string{"client", "router", "server"}, told: true},
}

func main() {
	flag.Parse()
	failed := false
	fmt.Printf("%-36s %8s %22s %22s\n", "scenario", "", "lost: right of claimed", "made: right of claimed")
	var lost, made tally
	for i, s := range scenarios {
		if !strings.Contains(s.name, *only) {
			continue
		}
		l, m, err := s.run(uint64(i + 1))
		if err != nil {
			fmt.Fprintf(os.Stderr, "points: %s: %v\n", s.name, err)
			failed = true
			continue
		}
		fmt.Printf("%-36s %8s %22s %22s\n", s.name, "", l, m)
		ends := slices.Contains(s.points, "client") && slices.Contains(s.points, "server")
		if s.drops == "" && ends && (l.found < l.happened/2 || m.found < m.happened/2) {
			fmt.Fprintf(os.Stderr, "points: %s: less than half was found of what can be known\n", s.name)
			failed = true
		}
		lost.add(l)
		made.add(m)
	}
	fmt.Printf("%-36s %8s %22s %22s\n", "all", "", lost, made)
	if made.right != made.claimed || float64(lost.right) < 0.995*float64(lost.claimed) {
		fmt.Fprintln(os.Stderr, "points: what is claimed is not what happened")
		failed = true
	}
	if failed {
		os.Exit(1)
	}
}

// tally counts claims of a kind, and what happened.
type tally struct{ claimed, right, happened, found int }

func (t *tally) add(o tally) {
	t.claimed, t.right, t.happened, t.found = t.claimed+o.claimed, t.right+o.right, t.happened+o.happened, t.found+o.found
}

func (t tally) String() string {
	return fmt.Sprintf("%d of %d, of %d", t.right, t.claimed, t.happened)
}

// run makes the captures of a scenario, and judges what is said of them.
func (s *scenario) run(seed uint64) (lost, made tally, err error) {
	dir := filepath.Join(*keep, strings.ReplaceAll(s.name, " ", "-"))
	if *keep == "" {
		if dir, err = os.MkdirTemp("", "points-"); err != nil {
			return lost, made, err
		}
		defer os.RemoveAll(dir)
	} else if err = os.MkdirAll(dir, 0o777); err != nil {
		return lost, made, err
	}
	boxes, files, err := s.captures(dir, seed)
	if err != nil {
		return lost, made, err
	}
	return s.judge(boxes, files)
}

// captures runs connections, and returns what the boxes did and each point's file.
func (s *scenario) captures(dir string, seed uint64) (boxes [3]*box, files map[string]string, err error) {
	w, err := newWorld(dir, s.nat)
	defer w.close()
	if err != nil {
		return boxes, nil, err
	}
	for i := range boxes {
		boxes[i] = newBox(seed*2+uint64(i), s.loss)
		boxes[i].firebox, boxes[i].swallows = s.firewall == i+1, s.swallow == i+1
	}
	back := slices.Contains(s.points, "back")
	if s.around && back {
		boxes[1].bypass, boxes[2].bypass = w.tuns["b1"], w.tuns["c0"]
	} else if s.around {
		boxes[1].bypass = w.tuns["c0"]
	}
	files = map[string]string{}
	devices := map[string]string{"client": "c0", "router": "any", "server": "s0", "back": "b1"}
	for _, p := range s.points {
		files[p] = filepath.Join(dir, p+".pcap")
		if err := w.dump(p, devices[p], files[p]); err != nil {
			return boxes, nil, err
		}
	}
	boxes[0].run(w.tuns["c0"], w.tuns["r0"])
	boxes[1].run(w.tuns["r1"], w.tuns["s0"])
	if back {
		boxes[2].run(nil, w.tuns["b0"])
	}
	stop, err := w.serve()
	if err != nil {
		return boxes, nil, err
	}
	err = w.talk(*each)
	time.Sleep(time.Second) // the last ones are acknowledged
	stop()
	err = firstError(err, w.endDumps())
	for name, file := range files {
		if err != nil {
			return boxes, nil, err
		}
		err = s.retouch(name, file, seed)
	}
	return boxes, files, err
}

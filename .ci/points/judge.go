package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/closecap/closecap"
	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/pcapfile"
)

const headerSize, recordSize = 24, 16

// records calls each with the header and the packet of a record of a pcap file with microseconds.
func records(b []byte, each func(header, data []byte)) {
	for at := headerSize; at+recordSize <= len(b); {
		n := int(binary.LittleEndian.Uint32(b[at+8:]))
		if at+recordSize+n > len(b) {
			return
		}
		each(b[at:at+recordSize], b[at+recordSize:at+recordSize+n])
		at += recordSize + n
	}
}

// retouch gives a point's capture the clock and the gaps that it is to have.
func (s *scenario) retouch(point, file string, seed uint64) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	gaps := rand.New(rand.NewPCG(seed, 3))
	out := append([]byte{}, b[:headerSize]...)
	first := time.Duration(-1)
	records(b, func(header, data []byte) {
		at := time.Duration(binary.LittleEndian.Uint32(header))*time.Second + time.Duration(binary.LittleEndian.Uint32(header[4:]))*time.Microsecond
		if first < 0 {
			first = at
		}
		if point == "server" {
			at += s.ahead + time.Duration(float64(at-first)*s.drift)
		}
		if point == s.drops && gaps.IntN(50) == 0 {
			return
		}
		binary.LittleEndian.PutUint32(header, uint32(at/time.Second))
		binary.LittleEndian.PutUint32(header[4:], uint32(at%time.Second/time.Microsecond))
		out = append(append(out, header...), data...)
	})
	return os.WriteFile(file, out, 0o666)
}

// marks are those of the packets of a point's capture, by frame.
func marks(file string) ([]mark, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	link := map[uint32]int{101: 0, 113: 16, 276: 20}
	skip, ok := link[binary.LittleEndian.Uint32(b[20:])]
	if !ok {
		return nil, fmt.Errorf("%s: link type %d", file, binary.LittleEndian.Uint32(b[20:]))
	}
	all := []mark{{}}
	records(b, func(_, data []byte) {
		m := mark{}
		if len(data) > skip {
			if p, ok := parse(data[skip:]); ok {
				m = p.mark()
			}
		}
		all = append(all, m)
	})
	return all, nil
}

// judge holds what closecap says of the captures to what the boxes did.
func (s *scenario) judge(boxes [3]*box, files map[string]string) (lost, made tally, err error) {
	all, frames, err := s.open(files)
	if err != nil {
		return lost, made, err
	}
	if !s.told {
		if err := foundOut(s.points, files); err != nil {
			return lost, made, err
		}
	}
	opt := closecap.Options{}
	opt.AllSegments = true
	var lostLeft, madeLeft []map[mark]int
	for i, x := range boxes {
		lostLeft, madeLeft = append(lostLeft, maps.Clone(x.lost)), append(madeLeft, maps.Clone(x.made))
		if !between(i, &analyze.OnPath{Seen: s.points[0], Missing: s.points[len(s.points)-1]}) {
			continue // what it did is seen by nobody
		}
		for _, n := range x.lost {
			lost.happened += n
		}
		for _, n := range x.made {
			made.happened += n
		}
	}
	for c, err := range closecap.NewPoints(all, opt).Connections(context.Background()) {
		if err != nil {
			return lost, made, err
		}
		if c.Path == nil {
			continue
		}
		check := func(claims []analyze.OnPath, left []map[mark]int, t *tally, what string) {
			for i := range claims {
				t.claimed++
				m, ok := markOf(c, claims[i].Frame, frames)
				did := -1
				for box, of := range left {
					if of[m] > 0 && between(box, &claims[i]) {
						did = box
					}
				}
				if !ok || did < 0 {
					fmt.Fprintf(os.Stderr, "points: %s: not %s: frame %d of connection %d, %s %s, %d bytes, seen at %s and not at %s\n",
						s.name, what, claims[i].Frame, c.ID, claims[i].From, claims[i].Flags, claims[i].Bytes, claims[i].Seen, claims[i].Missing)
					continue
				}
				left[did][m]--
				t.right++
				t.found++
			}
		}
		check(c.Path.Lost, lostLeft, &lost, "lost")
		check(c.Path.Made, madeLeft, &made, "made")
	}
	return lost, made, nil
}

// open opens the captures of the points, and returns by name the mark of each frame.
func (s *scenario) open(files map[string]string) (all []closecap.Point, frames map[string][]mark, err error) {
	frames = map[string][]mark{}
	for _, name := range s.points {
		if frames[name], err = marks(files[name]); err != nil {
			return nil, nil, err
		}
		r, err := pcapfile.Open([]string{files[name]}, nil, pcapfile.Options{})
		if err != nil {
			return nil, nil, err
		}
		all = append(all, closecap.Point{Name: name, Source: r, Sides: name == "router"})
	}
	return all, frames, nil
}

// between reports whether a claim's points lie on both sides of a box.
func between(box int, o *analyze.OnPath) bool {
	at := func(point string) int {
		for i, names := range [][]string{{"client"}, {"router", "back"}, {"server"}} {
			if slices.ContainsFunc(names, func(name string) bool { return strings.HasSuffix(point, name) }) {
				return i
			}
		}
		return -1
	}
	seen, missing := at(o.Seen), at(o.Missing)
	return min(seen, missing) <= box%2 && max(seen, missing) > box%2 // the third lies beside the first
}

// markOf returns the mark of a connection's frame.
func markOf(c *analyze.Connection, frame uint64, frames map[string][]mark) (mark, bool) {
	for _, seg := range c.Segments {
		if seg.Frame != frame {
			continue
		}
		for _, at := range seg.Seen {
			for name, m := range frames {
				if (at.Point == name || strings.HasSuffix(at.Point, " of "+name)) && at.Frame > 0 && int(at.Frame) < len(m) {
					return m[at.Frame], true
				}
			}
		}
	}
	return mark{}, false
}

// foundOut reports an error unless closecap sees by itself that the files are of several points.
func foundOut(points []string, files map[string]string) error {
	var all []intake.Source
	for _, name := range points {
		r, err := pcapfile.Open([]string{files[name]}, nil, pcapfile.Options{})
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	if !closecap.SeveralPoints(context.Background(), all) {
		return fmt.Errorf("the files are not seen to be of several points")
	}
	return nil
}

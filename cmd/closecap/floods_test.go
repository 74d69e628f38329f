package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/endings"
	"github.com/closecap/closecap/analyze/event"
)

func TestFloods(t *testing.T) {
	var f floods
	now := event.Time(1)
	scan := func(from string) *endings.Connection {
		return &endings.Connection{Stray: true, Connection: analyze.Connection{
			Client: netip.MustParseAddrPort(from), Ending: analyze.WasRefused,
		}}
	}
	shown := 0
	for range 100 {
		if !f.swallows(scan("10.0.0.9:1"), now) {
			shown++
		}
	}
	if f.swallows(scan("10.0.0.8:1"), now) || f.swallows(&endings.Connection{}, now) {
		t.Error("what is no flood is swallowed")
	}
	if lines := f.told(event.Time(time.Second / 2)); len(lines) != 0 {
		t.Errorf("told %q before the second is over", lines)
	}
	lines := f.told(event.Time(2 * time.Second))
	if shown != floodShown || len(lines) != 1 || !strings.Contains(lines[0], "10.0.0.9: 95 more connections refused") {
		t.Errorf("%d shown, then %q, want %d and a line for 95 more", shown, lines, floodShown)
	}
	if f.swallows(scan("10.0.0.9:1"), now) {
		t.Error("the next second's first is swallowed")
	}
}

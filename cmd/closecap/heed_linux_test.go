package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/join"
	"github.com/closecap/closecap/capture/intake"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/internal/outcome"
)

// heed joins a run's recording with what the kernel told of it, and expects that it bears out what calls and packets
// say: the same ending, and of each RST of which it told the same cause, by its own word.
func heed(t *testing.T, path string, events []event.KernelEvent, reasons bool) {
	t.Helper()
	defer os.Remove(path)
	r, err := pcapfile.Open([]string{path}, nil, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := intake.ReadRecording(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	last := rec.Calls[len(rec.Calls)-1].End
	for _, s := range rec.Segments {
		last = max(last, s.Time)
	}
	before := join.Join(rec, analyze.Options{})
	rec.Kernel = slices.DeleteFunc(slices.Clone(events), func(k event.KernelEvent) bool { return k.When() > last.Add(time.Millisecond) })
	after := join.Join(rec, analyze.Options{})
	for _, err := range analyze.Validate(after) {
		t.Errorf("validate: %v", err)
	}
	for i, c := range after.Connections {
		if d := outcome.Diff(outcome.Of(before.Connections[i]), outcome.Of(c)); d != "" {
			t.Errorf("connection %d: calls and packets -, with the kernel's word +\n%s", c.ID, d)
		}
		for _, w := range c.Warnings {
			if !slices.Contains(before.Connections[i].Warnings, w) {
				t.Errorf("connection %d: %s", c.ID, w)
			}
		}
		for _, s := range c.Segments {
			if s.Kind == analyze.KindFin && s.Retransmits == 0 && tellsFin(rec.Kernel, c, s.From) && s.Root.Confidence != analyze.InKernel {
				t.Errorf("FIN in frame %d: root %+v, want the kernel's word", s.Frame, s.Root)
			}
		}
		if c.Reset == nil || !reasons {
			continue
		}
		told := slices.ContainsFunc(rec.Kernel, func(k event.KernelEvent) bool {
			local, remote := c.Client, c.Server
			if c.Reset.By == analyze.Server {
				local, remote = remote, local
			}
			return k.Reset != nil && k.Reset.Local == local && k.Reset.Remote == remote
		})
		if root := rootOf(c, c.Reset.Frame); told && root.Confidence != analyze.InKernel && root.Kind != analyze.RootAnswer {
			t.Errorf("RST in frame %d: root %+v, want the kernel's word", c.Reset.Frame, root)
		}
		if told && !slices.ContainsFunc(c.Reset.Why, func(w string) bool { return strings.HasPrefix(w, "the kernel's reason is ") }) {
			t.Errorf("RST in frame %d: %q, want the kernel's reason", c.Reset.Frame, c.Reset.Why)
		}
	}
}

func rootOf(c *analyze.Connection, frame uint64) (root analyze.Root) {
	for _, s := range c.Segments {
		if s.Frame == frame {
			root = s.Root
		}
	}
	return root
}

// tellsFin reports whether the kernel told whose call sent the FIN of that side.
func tellsFin(events []event.KernelEvent, c *analyze.Connection, side analyze.Side) bool {
	local := c.Client
	if side == analyze.Server {
		local = c.Server
	}
	return slices.ContainsFunc(events, func(k event.KernelEvent) bool {
		return k.Endpoint != nil && k.Endpoint.Local == local && k.Endpoint.Fin.Does()
	})
}

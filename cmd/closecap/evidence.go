package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/endings"
	"github.com/closecap/closecap/analyze/event"
	"github.com/closecap/closecap/analyze/report"
	"github.com/closecap/closecap/capture/bpf"
	"github.com/closecap/closecap/capture/pcapfile"
)

// evidence is what the connections of an input are read from, for commands that judge them and show none:
// a capture, a recording of run, trace or watch, or what closecap wrote of one as JSON or NDJSON.
type evidence struct {
	input    *input
	segments bool // list every segment
	none     bool // an empty standard input is NDJSON of no connection, and no damaged capture
	source   string
	warnings []string
	gap      string // what it lacks as a whole, "" for nothing that is known
}

// read hands out each connection of what a command's arguments and flags name, which is good until the next. The error
// comes after what could be read.
func (e *evidence) read(ctx context.Context, command string, args []string, std streams, each func(*analyze.Connection)) error {
	e.source = strings.Join(args, " ")
	if f := e.input; len(args) == 1 && f.filter == "" && len(f.calls)+len(f.points) == 0 && f.filesFrom == "" && f.sample == "" {
		text, closer, isJSON, err := peek(args[0], std.in)
		if err != nil {
			return err
		}
		defer closer()
		if isJSON || e.none && args[0] == "-" && isEmpty(text) {
			return e.readJSON(text, args[0], each)
		}
		if text != nil {
			std.in, args = text, []string{"-"}
		}
	}
	r, err := e.input.read(ctx, command, args, std)
	if err != nil {
		return err
	}
	if !slices.Equal(r.files, []string{"-"}) {
		e.source = r.name
	}
	defer showProgress(r, std.err)()
	if begin := watched(ctx, r.timeline); begin != nil {
		defer r.timeline.Close()
		return e.replay(ctx, r.timeline, begin, each)
	}
	return e.analyze(ctx, r, each)
}

func (e *evidence) analyze(ctx context.Context, r *reading, each func(*analyze.Connection)) error {
	opt := e.input.analysis(r)
	opt.AllSegments = e.segments
	opt.Transient = func() bool { return true }
	if !opt.AllSegments {
		growFor(r.size)
	}
	a := r.analysis(opt)
	var wrong troubles
	for c, err := range a.Connections(ctx) {
		if err != nil {
			wrong.add(err)
			continue
		}
		each(c)
	}
	if res := a.Result(); res != nil {
		e.warnings = report.Warnings(res)
		switch lost := res.Capture.Dropped; {
		case lost > 0:
			e.gap = "the capture lost " + analyze.Count(lost, "packet")
		case res.Capture.Evicted > 0:
			e.gap = analyze.Count(res.Capture.Evicted, "connection") + " given up to bound the memory (--max-memory, --max-connections)"
		}
	}
	return wrong.err()
}

func (e *evidence) replay(ctx context.Context, r *pcapfile.Reader, begin *event.KernelWatch, each func(*analyze.Connection)) error {
	if e.input.filter != "" || len(e.input.calls) > 0 {
		return misused("--filter and --calls: a recording of closecap watch holds no packets")
	}
	e.warnings = slices.Clone(begin.Lacks)
	n := 0
	return replay(ctx, r, begin, func(l bpf.Losses) {
		if l.Total() > 0 {
			e.gap = fmt.Sprintf("the watching lost %s", analyze.Count(l.Total(), "kernel event"))
		}
	}, func(over []*endings.Connection, _ event.Time) bool {
		for _, c := range over {
			if n++; c.ID == 0 {
				c.ID = n
			}
			each(&c.Connection)
		}
		return true
	})
}

// peek says whether a file begins like JSON. What it has to hand on, as it can be read only once, is text;
// nil for a file that can be opened again.
func peek(path string, stdin io.Reader) (text *bufio.Reader, closer func() error, isJSON bool, err error) {
	closer = func() error { return nil }
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, closer, false, nil // who opens it next says why
		}
		in, closer = f, f.Close
		if info, err := f.Stat(); err == nil && info.IsDir() {
			return nil, closer, false, nil
		}
	}
	text = bufio.NewReaderSize(in, 64<<10)
	first, _ := text.Peek(1) // an error comes again
	if isJSON = len(first) == 1 && first[0] == '{'; isJSON || path == "-" {
		return text, closer, isJSON, nil
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		err := closer()
		return nil, func() error { return nil }, false, err
	}
	return text, closer, false, nil
}

func isEmpty(text *bufio.Reader) bool {
	_, err := text.Peek(1)
	return err == io.EOF
}

// readJSON reads what analyze, run, trace or watch wrote as JSON or NDJSON.
func (e *evidence) readJSON(text io.Reader, name string, each func(*analyze.Connection)) error {
	d := json.NewDecoder(text)
	for {
		at := d.InputOffset()
		var value struct {
			analyze.Connection
			Connections *[]*analyze.Connection `json:"connections"`
			Capture     analyze.Capture        `json:"capture"`
		}
		switch err := d.Decode(&value); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read %s: byte %d: %s", name, d.InputOffset(), strings.TrimPrefix(err.Error(), "json: "))
		}
		if value.Connections == nil {
			if err := checkRead(&value.Connection); err != nil {
				return fmt.Errorf("read %s: byte %d: %w", name, at, err)
			}
			each(&value.Connection)
			continue
		}
		e.warnings = append(e.warnings, value.Warnings...)
		if lost := value.Capture.Dropped; lost > 0 {
			e.gap = "the capture lost " + analyze.Count(lost, "packet")
		}
		for i, c := range *value.Connections {
			if c == nil {
				return fmt.Errorf("read %s: byte %d: connection %d is null", name, at, i+1)
			}
			if err := checkRead(c); err != nil {
				return fmt.Errorf("read %s: byte %d: connection %d: %w", name, at, i+1, err)
			}
			each(c)
		}
	}
}

// checkRead refuses what no connection of closecap's is.
func checkRead(c *analyze.Connection) error {
	if !slices.ContainsFunc(analyze.EndingCodes(), func(e analyze.Code[analyze.Ending]) bool { return e.Code == c.Ending }) {
		return fmt.Errorf("no connection of closecap's: ending %q", c.Ending)
	}
	for _, s := range c.Segments {
		if s == nil {
			return errors.New("a segment is null")
		}
	}
	return nil
}

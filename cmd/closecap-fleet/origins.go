package main

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/closecap/closecap/capture/pcapfile"
)

// spans say which files the frames of a run are from; before is how many of its point come before it.
func (c *captures) spans(before uint64) []pcapfile.Span {
	all := slices.Clone(c.Spans())
	for i := range all {
		all[i].Frame += before
		all[i].File = cmp.Or(c.of[all[i].File], all[i].File)
	}
	return all
}

// spansOf unites those of a point's runs.
func spansOf(point string, each func(*string, *[]byte) bool) (all []pcapfile.Span, err error) {
	of := ""
	for b := []byte(nil); each(&of, &b); b = nil {
		if of != point {
			continue
		}
		var spans []pcapfile.Span
		if err := json.Unmarshal(b, &spans); err != nil {
			return nil, err
		}
		all = append(all, spans...)
	}
	slices.SortFunc(all, func(a, b pcapfile.Span) int { return cmp.Compare(a.Frame, b.Frame) })
	return all, nil
}

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

// spansByPoint unites those of each point's runs.
func spansByPoint(each func(*string, *[]byte) bool) (map[string][]pcapfile.Span, error) {
	all := map[string][]pcapfile.Span{}
	point := ""
	for b := []byte(nil); each(&point, &b); b = nil {
		var spans []pcapfile.Span
		if err := json.Unmarshal(b, &spans); err != nil {
			return nil, err
		}
		all[point] = append(all[point], spans...)
	}
	for _, spans := range all {
		slices.SortFunc(spans, func(a, b pcapfile.Span) int { return cmp.Compare(a.Frame, b.Frame) })
	}
	return all, nil
}

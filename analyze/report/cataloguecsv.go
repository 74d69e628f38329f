package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze"
)

// catalogueFields are the columns of a catalogue's CSV form. New ones go to the end.
var catalogueFields = []struct {
	name  string
	value func(*analyze.Outline) string
}{
	{"scenario", func(o *analyze.Outline) string { return o.Scenario }},
	{"ending", func(o *analyze.Outline) string { return string(o.Ending) }},
	{"closer", func(o *analyze.Outline) string { return string(o.Closer) }},
	{"reset_cause", func(o *analyze.Outline) string { return string(o.Cause) }},
	{"reset_by", func(o *analyze.Outline) string { return string(o.ResetBy) }},
	{"time_wait", func(o *analyze.Outline) string { return strings.Join(holders(o), " ") }},
	{"expected", func(o *analyze.Outline) string { return strconv.Itoa(o.Expected) }},
	{"met", func(o *analyze.Outline) string { return strconv.Itoa(o.Met) }},
	{"ns", func(o *analyze.Outline) string { return strconv.FormatInt(o.NS, 10) }},
	{"cannot", func(o *analyze.Outline) string { return o.Cannot }},
	{"failed", func(o *analyze.Outline) string { return o.Failed }},
}

// holders lists who held TIME_WAIT.
func holders(o *analyze.Outline) []string {
	var all []string
	for _, tw := range o.TimeWait {
		all = append(all, string(tw.Holder))
	}
	return all
}

func writeCatalogueCSV(w io.Writer, c *analyze.Catalogue, _ Options) error {
	var b []byte
	for i, f := range catalogueFields {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, f.name...)
	}
	b = append(b, '\n')
	for i := range c.Scenarios {
		for k, f := range catalogueFields {
			if k > 0 {
				b = append(b, ',')
			}
			b = appendField(b, f.value(&c.Scenarios[i]))
		}
		b = append(b, '\n')
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("write csv: %w", err)
	}
	return nil
}

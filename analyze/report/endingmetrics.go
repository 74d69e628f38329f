package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/closecap/closecap/analyze/endings"
)

// EndingMetrics counts connections for Prometheus. No address is a label, and the number of
// process names is bounded. The zero value is empty.
type EndingMetrics struct {
	counts map[endingLabels]uint64
	names  map[string]bool
	lost   uint64
}

type endingLabels struct{ ending, cause, closer, process string }

// Add counts c.
func (m *EndingMetrics) Add(c *endings.Connection) {
	if m.counts == nil {
		m.counts, m.names = map[endingLabels]uint64{}, map[string]bool{}
	}
	l := endingLabels{ending: string(c.Ending), closer: string(c.Closer), process: CloserName(c)}
	if c.Reset != nil {
		l.cause = string(c.Reset.Cause)
	}
	if !m.names[l.process] && len(m.names) >= maxNames {
		l.process = "others"
	}
	m.names[l.process] = true
	m.counts[l]++
	m.lost += c.LostBytes().Sum()
}

// Write writes the counters in Prometheus's text format; events are kernel events, or packets, that
// were lost, by reason.
func (m *EndingMetrics) Write(w io.Writer, events map[string]uint64) error {
	var b strings.Builder
	b.WriteString("# HELP closecap_connections_ended_total TCP connections that ended.\n# TYPE closecap_connections_ended_total counter\n")
	labels := slices.SortedFunc(maps.Keys(m.counts), func(a, b endingLabels) int {
		return cmp.Or(cmp.Compare(a.ending, b.ending), cmp.Compare(a.cause, b.cause), cmp.Compare(a.closer, b.closer), cmp.Compare(a.process, b.process))
	})
	for _, l := range labels {
		fmt.Fprintf(&b, "closecap_connections_ended_total{ending=\"%s\",cause=\"%s\",closer=\"%s\",process=\"%s\"} %d\n",
			l.ending, l.cause, l.closer, labelValue(l.process), m.counts[l])
	}
	fmt.Fprintf(&b, "# HELP closecap_lost_bytes_total Payload bytes that reached no application.\n# TYPE closecap_lost_bytes_total counter\nclosecap_lost_bytes_total %d\n", m.lost)
	b.WriteString("# HELP closecap_lost_events_total Kernel events, or packets, that were lost.\n# TYPE closecap_lost_events_total counter\n")
	for _, name := range slices.Sorted(maps.Keys(events)) {
		fmt.Fprintf(&b, "closecap_lost_events_total{reason=\"%s\"} %d\n", name, events[name])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// labelValue escapes what the text format gives a meaning.
func labelValue(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s)
}

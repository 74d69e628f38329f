package report

import (
	"strconv"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// milliseconds writes the time since base.
func milliseconds(t, base event.Time) string {
	if t == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(t-base)/1e6, 'f', 3, 64)
}

// span writes a length of time in the unit that suits it.
func span(d time.Duration) string { return analyze.Span(d) }

// clock writes the time of day with milliseconds, in UTC.
func clock(t event.Time) string { return clockIn(t, nil) }

// clockIn writes it in a zone and names that; nil is UTC.
func clockIn(t event.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	return time.Unix(0, int64(t)).In(zone).Format("15:04:05.000 MST")
}

func count(n uint64, noun string) string { return analyze.Count(n, noun) }

func grouped(n uint64) string { return analyze.Grouped(n) }

// frames writes frame numbers: "6", "5, 7", "5–9".
func frames(list []uint64) string {
	var b strings.Builder
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.FormatUint(list[i], 10))
		if j == i+1 {
			j = i
		} else if j > i {
			b.WriteString("–" + strconv.FormatUint(list[j], 10))
		}
		i = j + 1
	}
	return b.String()
}

// and joins words: "a", "a and b", "a, b and c".
func and(words []string) string { return joined(words, " and ") }

// joined joins words with commas, the last of several with last.
func joined(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + last + words[len(words)-1]
}

// arrow points from the client, on the left, to the server, on the right.
func arrow(from analyze.Side) string {
	switch from {
	case analyze.Client:
		return "→"
	case analyze.Server:
		return "←"
	}
	return "?"
}

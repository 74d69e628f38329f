package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze/explain"
)

// TestTopicStarts holds that the start of each topic fits a terminal, says something, and ends with
// no colon that announces what is not there.
func TestTopicStarts(t *testing.T) {
	for _, topic := range explain.Topics() {
		var b bytes.Buffer
		if err := WriteTopicStart(&b, topic, Options{Width: 80}); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if len(lines) > topicStart {
			t.Errorf("%s: %d lines, more than a terminal has", topic.Name, len(lines))
		}
		text := lines[2:]
		for i, l := range text {
			if strings.HasPrefix(l, "see: ") || strings.HasPrefix(l, "more: ") {
				text = text[:i-1]
				break
			}
		}
		if last := text[len(text)-1]; strings.HasSuffix(last, ":") {
			t.Errorf("%s: the start ends with %q", topic.Name, last)
		}
		if len(text) < min(len(topic.Text), topicStart/3) {
			t.Errorf("%s: the start shows %d lines of %d", topic.Name, len(text), len(topic.Text))
		}
	}
}

// TestTopicColumns holds that the columns of a topic stand at one place, also where plain text has two signs for one.
func TestTopicColumns(t *testing.T) {
	for _, box := range []bool{false, true} {
		var b bytes.Buffer
		if err := WriteTopicStart(&b, explain.Lookup("words"), Options{Width: 80, Box: box}); err != nil {
			t.Fatal(err)
		}
		for _, about := range []string{"call number", "from the client, from", "frame 5", "frame 14"} {
			line, _, found := strings.Cut(b.String(), about)
			line = line[strings.LastIndexByte(line, '\n')+1:]
			if got := textWidth(line); !found || got != 29 {
				t.Errorf("box %v: %q in column %d, want 29", box, about, got)
			}
		}
	}
}

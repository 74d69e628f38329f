package closecap

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/explain"
	"github.com/closecap/closecap/capture/pcapfile"
)

// analyzed returns the connections of a capture, and the Analysis that read it.
func analyzed(t *testing.T, file string, opt Options) ([]*analyze.Connection, *Analysis) {
	t.Helper()
	r, err := pcapfile.Open([]string{file}, nil, pcapfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := New(r, opt)
	var all []*analyze.Connection
	for c, err := range a.Connections(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all, a
}

// TestClosingMessageIsNoLoss holds that a GOAWAY which meets a closed socket is told from data, and who
// announced the end.
func TestClosingMessageIsNoLoss(t *testing.T) {
	const file = "analyze/words/testdata/grpc-max-age.pcap"
	all, a := analyzed(t, file, Options{Words: true})
	if len(all) != 1 || all[0].Reset == nil || all[0].LastWords == nil {
		t.Fatalf("%d connections, the first %+v", len(all), all[0])
	}
	lost := all[0].Reset.Lost
	if lost.AfterClose != 42 || lost.Closing != 42 || lost.Sum() != 0 {
		t.Errorf("lost %+v, sum %d: want 42 bytes, all of a closing message", lost, lost.Sum())
	}
	w := all[0].LastWords.Server
	if w == nil || w.Protocol != "http2" || !strings.Contains(w.Meaning, `NO_ERROR "max_age"`) || w.Frame != 24 || !w.Acknowledged {
		t.Errorf("the server's last words are %+v", w)
	}
	if c := all[0].LastWords.Client; c == nil || c.Acknowledged {
		t.Errorf("the client's last words are %+v: they met a closed socket", c)
	}
	if n := a.words.Open(); n != 0 {
		t.Errorf("%d connections are kept after the end", n)
	}

	all, _ = analyzed(t, file, Options{})
	if lost := all[0].Reset.Lost; all[0].LastWords != nil || lost.Closing != 0 {
		t.Errorf("without words: %+v, lost %+v", all[0].LastWords, lost)
	}
}

// TestWordsAreTaken holds that what is kept of the connections goes with them, and that asking for words
// changes nothing else of what is said.
func TestWordsAreTaken(t *testing.T) {
	a := New(capture(t), Options{Words: true, RawWords: true})
	b := New(capture(t), Options{})
	var with, without []*analyze.Connection
	for c := range a.Connections(context.Background()) {
		if c != nil {
			with = append(with, c)
		}
	}
	for c := range b.Connections(context.Background()) {
		if c != nil {
			without = append(without, c)
		}
	}
	if len(with) != len(without) || len(with) == 0 {
		t.Fatalf("%d connections with words, %d without", len(with), len(without))
	}
	for i, c := range with {
		if o := without[i]; c.ID != o.ID || c.Ending != o.Ending || c.Closer != o.Closer || c.Bytes != o.Bytes || c.LastFrame != o.LastFrame {
			t.Errorf("connection %d: %s by %s with words, %s by %s without", c.ID, c.Ending, c.Closer, o.Ending, o.Closer)
		}
	}
	if n := a.words.Open(); n != 0 {
		t.Errorf("%d connections are kept after the end", n)
	}
}

// TestTopicOfSilence holds that the topic is told of what did not come, too.
func TestTopicOfSilence(t *testing.T) {
	all, _ := analyzed(t, "analyze/words/testdata/ws-no-close-frame.pcap", Options{Words: true})
	if len(all) != 1 || all[0].LastWords.Reason != "" || all[0].Explains != "websocket-close" {
		t.Errorf("%d connections, the first with %+v, topic %q", len(all), all[0].LastWords, all[0].Explains)
	}
}

var update = flag.Bool("update", false, "rewrite the expected reasons")

// TestReasons holds why the connections of captures of real servers ended, in their protocols' words.
func TestReasons(t *testing.T) {
	const expected = "analyze/words/testdata/reasons.txt"
	files, err := filepath.Glob("analyze/words/testdata/*.pcap")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	var b strings.Builder
	for _, file := range files {
		all, _ := analyzed(t, file, Options{Words: true})
		for _, c := range all {
			if w := c.LastWords; w != nil && w.Reason != "" {
				fmt.Fprintf(&b, "%s %d: %s (%s)\n", strings.TrimSuffix(filepath.Base(file), ".pcap"), c.ID, w.Reason, w.Confidence)
				if w.Topic != "" {
					fmt.Fprintf(&b, "  explain %s\n", c.Explains)
				}
				if explain.Lookup(c.Explains) == nil {
					t.Errorf("%s: connection %d names the topic %q, which there is not", file, c.ID, c.Explains)
				}
			}
		}
	}
	if *update {
		if err := os.WriteFile(expected, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(expected)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("reasons:\n%s\nwant:\n%s", b.String(), want)
	}
}

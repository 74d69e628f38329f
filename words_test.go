package closecap

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/explain"
	"github.com/closecap/closecap/analyze/flows"
	"github.com/closecap/closecap/analyze/words"
	"github.com/closecap/closecap/capture/pcapfile"
	"github.com/closecap/closecap/internal/story"
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

// TestTopicOfSilence holds that what did not come is the reason, and has its topic, too.
func TestTopicOfSilence(t *testing.T) {
	all, _ := analyzed(t, "analyze/words/testdata/ws-no-close-frame.pcap", Options{Words: true})
	if len(all) != 1 || !strings.Contains(all[0].LastWords.Reason, "without a WebSocket Close frame") || all[0].Explains != "websocket-close" {
		t.Errorf("%d connections, the first with %+v, topic %q", len(all), all[0].LastWords, all[0].Explains)
	}
}

// TestReasonsAgree holds that the reason and the fact of an idle close are one, over all captures and stories: a race is
// called one where there is the fact, at the same frame, and what only closes is none.
func TestReasonsAgree(t *testing.T) {
	var all []*analyze.Connection
	for _, pattern := range []string{"analyze/words/testdata/*.pcap", "pcaps/*.pcapng", "cmd/closecap/testdata/*/*.pcap"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no captures: %v", err)
		}
		for _, file := range files {
			some, _ := analyzed(t, file, Options{Words: true, RawWords: true})
			all = append(all, some...)
		}
	}
	for _, file := range story.Files(t, "analyze") {
		all = append(all, spokenStory(t, file)...)
	}
	facts := 0
	for _, c := range all {
		reason, i := "", c.IdleClose
		if c.LastWords != nil {
			reason = c.LastWords.Reason
		}
		unread := c.Reset != nil && c.Reset.Cause == analyze.UnreadData // there is no FIN, and no such fact
		switch race := strings.Contains(reason, "keep-alive race"); {
		case race && !unread && (i == nil || !i.Crossed):
			t.Errorf("%v > %v: %q, and the fact is %+v", c.Client, c.Server, reason, i)
		case i == nil || !c.Whole && reason == "": // of what lacks packets the words tell no reason
			continue
		case strings.Contains(reason, "harmless"):
			t.Errorf("%v > %v: %q, and yet a request met a close: %+v", c.Client, c.Server, reason, i)
		case !strings.Contains(reason, "ended it") && (race != i.Crossed || !strings.Contains(reason, fmt.Sprintf("(frame %d)", i.Request))):
			t.Errorf("%v > %v: %q, and the fact is %+v", c.Client, c.Server, reason, i)
		}
		facts++
	}
	if facts < 5 {
		t.Errorf("%d requests that met the close of an idle connection", facts)
	}
}

// spokenStory returns the connections of a story, whose segments bring bytes of no protocol.
func spokenStory(t *testing.T, file string) (all []*analyze.Connection) {
	t.Helper()
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(ar.Files[0].Data)) { // segments may stand between calls
		if fields := strings.Fields(line); len(fields) > 3 && fields[3] == ">" {
			lines = append(lines, line)
		}
	}
	k := words.NewKeeper()
	f := flows.NewFollower(analyze.Options{AllSegments: true}, func(c *analyze.Connection) {
		k.Take(c.Client, c.Server, c.LastFrame).Tell(c, words.Telling{Raw: true})
		all = append(all, c)
	})
	for _, s := range story.Parse(t, strings.Join(lines, "")) {
		k.Segment(&s, bytes.Repeat([]byte("x"), int(s.Len)))
		f.Segment(&s)
	}
	f.Finish()
	return all
}

// TestReasons holds why the connections of captures of real servers ended, in their protocols' words.
func TestReasons(t *testing.T) {
	const expected = "analyze/words/testdata/reasons.txt"
	files, err := filepath.Glob("analyze/words/testdata/*.pcap*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	var b strings.Builder
	for _, file := range files {
		all, _ := analyzed(t, file, Options{Words: true})
		name, _, _ := strings.Cut(filepath.Base(file), ".pcap")
		for _, c := range all {
			if w := c.LastWords; w != nil && w.Reason != "" {
				fmt.Fprintf(&b, "%s %d: %s (%s)\n", name, c.ID, w.Reason, w.Confidence)
				if w.Topic != "" {
					fmt.Fprintf(&b, "  explain %s\n", c.Explains)
				}
				if explain.Lookup(c.Explains) == nil {
					t.Errorf("%s: connection %d names the topic %q, which there is not", file, c.ID, c.Explains)
				}
			}
		}
	}
	if story.Updating() {
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

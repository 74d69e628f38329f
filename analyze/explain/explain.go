// Package explain holds what `closecap explain` says: topics about the end of TCP
// connections, each with its authority and with the rows of recordings that show it.
//
// It reads no recording and runs nothing: a topic's selectors find their rows in any
// analyze.Result of the scenario that they name.
package explain

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
)

// Topic is one subject, at most a screen of 80 columns.
type Topic struct {
	Name      string
	Title     string   // one line
	Text      []string // lines as they are printed
	Authority string   // RFC sections, man pages, kernel functions
	Evidence  []Evidence
	See       []string // names of topics that go on
}

// Evidence is a scenario whose run shows what the topic says.
type Evidence struct {
	Scenario string
	States   bool       // the kernel's states are part of it
	Rows     []Selector // none means its closing calls and what failed or ended
}

//go:embed topics/*.txt
var files embed.FS

const suffix = ".txt"

// order is that of a reader who begins at the beginning.
var order = []string{
	"close-vs-shutdown", "does-close-affect-the-peer", "half-close", "closing-politely",
	"fin-ordering", "time-wait", "fin-wait2", "close-wait", "simultaneous-close",
	"reset", "econnreset-vs-epipe", "lost-bytes", "last-words", "end-of-file-by-fin", "linger", "keepalive-race", "goaway", "websocket-close",
	"shared-sockets", "blocked-calls", "accept-queue", "window-zero", "half-open", "middlebox-reset", "tls-close", "relay", "mptcp",
	"two-rows-one-connection", "address-in-use", "watching-production", "words", "scripts",
}

var topics = sync.OnceValue(func() []*Topic {
	var all []*Topic
	for _, name := range order {
		src, err := files.ReadFile(path.Join("topics", name+suffix))
		if err != nil {
			panic(err)
		}
		t, err := parse(name, string(src))
		if err != nil {
			panic(err) // a test parses each of them
		}
		all = append(all, t)
	}
	return all
})

// Topics returns all topics. They are shared: do not change them.
func Topics() []*Topic { return topics() }

// Names lists the topics' names.
func Names() []string { return slices.Clone(order) }

// Lookup returns the topic of that name, nil when there is none.
func Lookup(name string) *Topic {
	for _, t := range Topics() {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// The heads of what stands under a topic's text.
const (
	headAuthority = "Authority: "
	headEvidence  = "Evidence: "
	headSee       = "See: "
)

// parse reads a topic: its title in the first line, its text, then "Authority: …", any number
// of "Evidence: SCENARIO [states]" with selectors indented under it, and "See: a, b".
func parse(name, src string) (*Topic, error) {
	title, rest, _ := strings.Cut(strings.TrimSpace(src), "\n")
	t := &Topic{Name: name, Title: title}
	head := ""
	for i, line := range strings.Split(strings.Trim(rest, "\n"), "\n") {
		var err error
		switch {
		case headOf(line) != "":
			head = headOf(line)
			err = t.begin(head, strings.TrimPrefix(line, head))
		case head == "":
			t.Text = append(t.Text, line)
		case !strings.HasPrefix(line, "  "):
			err = fmt.Errorf("text after %q", head)
		default:
			err = t.addLine(head, strings.TrimSpace(line))
		}
		if err != nil {
			return nil, fmt.Errorf("parse topic %s:%d: %w", name, i+2, err)
		}
	}
	for len(t.Text) > 0 && t.Text[len(t.Text)-1] == "" {
		t.Text = t.Text[:len(t.Text)-1]
	}
	if t.Title == "" || len(t.Text) == 0 {
		return nil, fmt.Errorf("parse topic %s: want a title and a text", name)
	}
	return t, nil
}

// headOf returns the head that the line begins with, "" when it has none.
func headOf(line string) string {
	for _, head := range []string{headAuthority, headEvidence, headSee} {
		if strings.HasPrefix(line, head) {
			return head
		}
	}
	return ""
}

func (t *Topic) begin(head, line string) error {
	switch head {
	case headAuthority:
		t.Authority = line
	case headSee:
		t.See = strings.Split(line, ", ")
	case headEvidence:
		scenario, states, _ := strings.Cut(line, " ")
		if states != "" && states != "states" {
			return fmt.Errorf("evidence %s: unknown word %q", scenario, states)
		}
		t.Evidence = append(t.Evidence, Evidence{Scenario: scenario, States: states != ""})
	}
	return nil
}

func (t *Topic) addLine(head, line string) error {
	switch head {
	case headAuthority:
		t.Authority += " " + line
		return nil
	case headEvidence:
		s, err := parseSelector(line)
		e := &t.Evidence[len(t.Evidence)-1]
		e.Rows = append(e.Rows, s)
		return err
	}
	return fmt.Errorf("%q takes one line", head)
}

package report

import (
	"net/netip"
	"strings"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// pageFinding is a finding on the page: opening it shows its connections alone.
type pageFinding struct {
	Kind    string
	Style   string
	Words   string
	Command []string // its words, none of which a line breaks in two
	At      int      // in listData.Found
	InPage  bool
}

// pageBody keeps the connections of a page, and what is worth a look in all of them.
type pageBody struct {
	*pictureBody
	summary *summary
}

func newHTMLBody(s *Stream) body {
	b := &pageBody{summary: newSummary(s.opt.TimeWait)}
	b.pictureBody = &pictureBody{Stream: s, most: maxPage, draw: func(s *Stream, r *analyze.Result) error {
		return writeHTML(s.w, r, s.n)
	}}
	return b
}

func (b *pageBody) connection(c *analyze.Connection) error {
	b.summary.add(c)
	return b.pictureBody.connection(c)
}

func (b *pageBody) finish(r *analyze.Result) error {
	r.Findings = b.summary.findings(r.Capture.Last, b.opt.Again)
	return b.pictureBody.finish(r)
}

// newPageFindings returns the findings to show, and of each the places of its connections in the list.
func newPageFindings(r *analyze.Result) (list []pageFinding, found [][]int) {
	shown, _ := shownFindings(r.Findings)
	for _, f := range shown {
		rows := []int{}
		for at, c := range r.Connections {
			if isOf(f, c) {
				rows = append(rows, at)
			}
		}
		list = append(list, pageFinding{Kind: string(f.Kind), Style: styleClass(findingStyle(f)), Words: findingWords(f), Command: commandWords(f.Command),
			At: len(found), InPage: len(rows) > 0})
		found = append(found, rows)
	}
	return list, found
}

func commandWords(command string) []string {
	if command == "" {
		return nil
	}
	return strings.Split(Safe(command), " ")
}

// isOf reports whether c is one of the connections that the flags of f pick.
func isOf(f *analyze.Finding, c *analyze.Connection) bool {
	pick := analyze.Selection{Cause: f.Cause, Finding: f.Kind, Said: f.Said, Closed: [2]event.Time{f.From, f.To}, Port: f.Server.Port(), Host: alone(f.Server.Addr())}
	if f.Kind == analyze.FoundTransfer { // the port is that of the control connection
		pick.Port = 0
	}
	if onlyFrom(f) {
		pick.Peer = alone(f.Client)
	}
	return pick.Match(c)
}

func alone(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

package report

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// pageList is the head of the list of many connections.
type pageList struct {
	Endings []pageChoice
	Causes  []pageChoice
}

// pageChoice is a value to filter by.
type pageChoice struct {
	Name  string
	Style string
	Count string
	n     int
}

// perChunk is how many connections' details are compressed together.
const perChunk = 40

// listData is what the page's script reads: a row for each connection, and their details,
// which it draws when one is opened.
type listData struct {
	PerChunk int        `json:"perChunk"`
	Rows     []listItem `json:"rows"`
	Chunks   [][]byte   `json:"chunks"` // raw DEFLATE of a JSON array of HTML
}

// listItem is a connection in the list, values to sort by beside words to show.
type listItem struct {
	ID     int    `json:"id"`
	Client string `json:"client"`
	Server string `json:"server"`
	Start  string `json:"start"`
	At     int64  `json:"at"`
	Lasted string `json:"lasted"`
	NS     int64  `json:"ns"`
	Up     uint64 `json:"up"`
	Down   uint64 `json:"down"`
	Ending string `json:"ending"`
	Style  string `json:"style"`
	Doubt  string `json:"doubt,omitempty"`
	Closer string `json:"closer,omitempty"`
	Cause  string `json:"cause,omitempty"`
	Half   string `json:"half,omitempty"`
	HalfNS int64  `json:"halfNS,omitempty"`
	Lost   uint64 `json:"lost,omitempty"`
}

// newPageList returns the list's head and its data as JSON that is safe inside a script element.
func newPageList(r *analyze.Result) (*pageList, []byte, error) {
	data := listData{PerChunk: perChunk}
	endings, causes := map[string]*pageChoice{}, map[string]*pageChoice{}
	base := event.Time(0)
	for _, c := range r.Connections {
		if base == 0 || c.Start < base {
			base = c.Start
		}
		item := newListItem(c)
		data.Rows = append(data.Rows, item)
		tally(endings, item.Ending, item.Style)
		tally(causes, item.Cause, "")
	}
	for i := range data.Rows {
		data.Rows[i].At = int64(r.Connections[i].Start - base)
	}
	var err error
	if data.Chunks, err = packAll(r); err != nil {
		return nil, nil, err
	}
	// encoding/json escapes <, > and &, so nothing in it ends the script element.
	text, err := json.Marshal(data)
	if err != nil {
		return nil, nil, fmt.Errorf("write html: %w", err)
	}
	return &pageList{choices(endings), choices(causes)}, text, nil
}

func newListItem(c *analyze.Connection) listItem {
	item := listItem{ID: c.ID, Client: c.Client.String(), Server: c.Server.String(),
		Start: strings.TrimSuffix(clock(c.Start), " UTC"), Lasted: span(c.End.Sub(c.Start)), NS: int64(c.End - c.Start),
		Up: c.Bytes.Client, Down: c.Bytes.Server, Ending: Safe(string(c.Ending)), Closer: Safe(closerWords(c)), Lost: c.LostBytes().Sum(),
		Doubt: doubt(c.Confidence, c.Ending == analyze.UnknownEnding),
		Style: labelClass(label{style: endingStyle(c.Ending)})}
	if c.Reset != nil {
		item.Cause = Safe(string(c.Reset.Cause))
	}
	if c.HalfClose != nil {
		item.Half, item.HalfNS = span(event.Time(c.HalfClose.NS).Sub(0)), c.HalfClose.NS
	}
	return item
}

// packAll packs the details of all connections, on all processors.
func packAll(r *analyze.Result) ([][]byte, error) {
	chunks := slices.Collect(slices.Chunk(r.Connections, perChunk))
	packed, errs := make([][]byte, len(chunks)), make([]error, len(chunks))
	var group sync.WaitGroup
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(chunks) {
					return
				}
				packed[i], errs[i] = packArticles(r, chunks[i])
			}
		})
	}
	group.Wait()
	return packed, errors.Join(errs...)
}

func packArticles(r *analyze.Result, connections []*analyze.Connection) ([]byte, error) {
	var b bytes.Buffer
	f, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err != nil {
		return nil, fmt.Errorf("write html: %w", err)
	}
	var articles []string
	for _, c := range connections {
		articles = append(articles, connectionArticle(r, c, true))
	}
	e := json.NewEncoder(f)
	e.SetEscapeHTML(false)
	if err := errors.Join(e.Encode(articles), f.Close()); err != nil {
		return nil, fmt.Errorf("write html: %w", err)
	}
	return b.Bytes(), nil
}

func tally(counts map[string]*pageChoice, name, style string) {
	if name == "" {
		return
	}
	if counts[name] == nil {
		counts[name] = &pageChoice{Name: name, Style: style}
	}
	counts[name].n++
}

// choices returns what was counted, the most frequent first.
func choices(counts map[string]*pageChoice) []pageChoice {
	var list []pageChoice
	for _, c := range counts {
		c.Count = grouped(uint64(c.n))
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b pageChoice) int { return cmp.Or(b.n-a.n, cmp.Compare(a.Name, b.Name)) })
	return list
}

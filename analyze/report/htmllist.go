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
	Findings []pageFinding
	Columns  []pageColumn
	Endings  []pageChoice
	Causes   []pageChoice
}

// pageColumn is a column of the list as the page and its script know it.
type pageColumn struct {
	Key   string `json:"key"`
	Class string `json:"class,omitempty"`
	Title string `json:"-"`
	Wide  bool   `json:"-"`
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
	PerChunk int          `json:"perChunk"`
	Columns  []pageColumn `json:"columns"`
	Found    [][]int      `json:"found,omitempty"` // of each finding the places of its rows
	Rows     [][]any      `json:"rows"`            // a cell a column: its value, or [value to sort by, words to show, class]
	Chunks   [][]byte     `json:"chunks"`          // raw DEFLATE of a JSON array of HTML
}

// pageColumns are the columns of the page's list, from the left.
var pageColumns = func() (columns []*listColumn) {
	for i := range listColumns {
		if listColumns[i].page.at > 0 {
			columns = append(columns, &listColumns[i])
		}
	}
	slices.SortFunc(columns, func(a, b *listColumn) int { return cmp.Compare(a.page.at, b.page.at) })
	return columns
}()

// newPageList returns the list's head and its data as JSON that is safe inside a script element.
func newPageList(r *analyze.Result) (*pageList, []byte, error) {
	list := &pageList{}
	for _, c := range pageColumns {
		list.Columns = append(list.Columns, pageColumn{Key: c.page.key, Class: c.page.class, Title: c.table.title,
			Wide: strings.HasPrefix(c.page.class, "wide")})
	}
	base := event.Time(0)
	for _, c := range r.Connections {
		if base == 0 || c.Start < base {
			base = c.Start
		}
	}
	data := listData{PerChunk: perChunk, Columns: list.Columns}
	list.Findings, data.Found = newPageFindings(r)
	endings, causes := map[string]*pageChoice{}, map[string]*pageChoice{}
	for _, c := range r.Connections {
		data.Rows = append(data.Rows, pageRow(c, base))
		tally(endings, Safe(string(c.Ending)), styleClass(endingStyle(c.Ending)))
		if c.Reset != nil {
			tally(causes, Safe(string(c.Reset.Cause)), "")
		}
	}
	list.Endings, list.Causes = choices(endings), choices(causes)
	var err error
	if data.Chunks, err = packAll(r); err != nil {
		return nil, nil, err
	}
	// encoding/json escapes <, > and &, so nothing in it ends the script element.
	text, err := json.Marshal(data)
	if err != nil {
		return nil, nil, fmt.Errorf("write html: %w", err)
	}
	return list, text, nil
}

func pageRow(c *analyze.Connection, base event.Time) []any {
	row := make([]any, len(pageColumns))
	for i, column := range pageColumns {
		p := &column.page
		value := any(nil)
		if p.sort != nil {
			value = p.sort(c, base)
		} else {
			value = Safe(column.text(c))
		}
		switch {
		case p.style != nil:
			value = []any{value, Safe(p.words(c)), styleClass(p.style(c))}
		case p.words != nil:
			value = []any{value, Safe(p.words(c))}
		}
		row[i] = value
	}
	return row
}

func styleClass(st style) string { return labelClass(label{style: st}) }

// packAll packs the details of all connections, on all processors.
func packAll(r *analyze.Result) ([][]byte, error) {
	chunks := slices.Collect(slices.Chunk(r.Connections, perChunk))
	packed, errs := make([][]byte, len(chunks)), make([]error, len(chunks))
	o := outlineOf(r)
	var group sync.WaitGroup
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(chunks) {
					return
				}
				packed[i], errs[i] = packArticles(o, chunks[i])
			}
		})
	}
	group.Wait()
	return packed, errors.Join(errs...)
}

func packArticles(o *outline, connections []*analyze.Connection) ([]byte, error) {
	var b bytes.Buffer
	f, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err != nil {
		return nil, fmt.Errorf("write html: %w", err)
	}
	var articles []string
	for _, c := range connections {
		articles = append(articles, connectionArticle(o, c, true))
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

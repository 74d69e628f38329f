// Package prefetch is software prefetch, of many cache lines at once: a processor fetches many at a
// time, but a program that reads them one after the other waits for each.
package prefetch

// Most is how many lines fit into Lines.
const Most = 48

// Lines are cache lines to be asked for together. The zero value has none.
type Lines struct {
	at [Most]*uint64
	n  int
}

// Add adds the line where p points; there must be fewer than Most.
func (l *Lines) Add(p *uint64) {
	l.at[l.n] = p
	l.n++
}

// Ask asks for all lines, waits for none of them, and empties l. It has no other effect.
func (l *Lines) Ask() {
	ask(&l.at[0], l.n)
	l.n = 0
}

// Span asks for all lines from the one where first points to that of last, which is no lower.
func Span(first, last *uint64) { askSpan(first, last) }

package stracelog

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// lineLimit bounds one line: strace -s may print much, but not without end.
const lineLimit = 1 << 20

// reader is the state of reading one log.
type reader struct {
	b          *builder
	file       File
	tid        int // of a -ff file
	number     int
	unfinished map[int]*unfinishedCall // unfinished calls by thread
	open       map[int]int             // by thread its last line, where the call may have lasted longer than that says: an index of b.raws
	closed     map[int]int             // by thread its last line, where that is a close that returned: an index of b.raws
	shift      event.Time              // from the time of day to the date
	last       event.Time
	alive      map[int]bool // threads that wrote with a pid and have not ended
	born       map[int]bool // threads that strace attached to later
	main       int          // the thread that wrote without a pid before there were others
	torn       string       // the beginning of a line that strace's own news broke off
	warned     bool
	full       bool // more calls than Options.Limit
	started    bool
}

// read takes in one log.
func (b *builder) read(l File) error {
	r := &reader{b: b, file: l, tid: pidOfName(l.Name), unfinished: map[int]*unfinishedCall{}, open: map[int]int{}, closed: map[int]int{}, alive: map[int]bool{}, born: map[int]bool{}}
	in := bufio.NewReaderSize(l.Reader, 64<<10)
	for {
		text, whole, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if text != "" {
			r.take(text, whole)
		}
		if r.full {
			return fmt.Errorf("line %d: %w: at most %d", r.number, ErrTooMany, b.opts.Limit)
		}
		if err != nil {
			break
		}
	}
	for _, h := range r.unfinished {
		r.add(h.line, h.start, 0)
	}
	if r.main != 0 {
		b.rename(0, r.main)
	}
	return nil
}

// readLine reads one line without its end. Of a line beyond the limit only the beginning is
// kept, and whole is false.
func readLine(in *bufio.Reader) (text string, whole bool, err error) {
	var b []byte
	whole = true
	for {
		part, err := in.ReadSlice('\n')
		if room := lineLimit - len(b); len(part) > room {
			part, whole = part[:room], false
		}
		b = append(b, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return strings.TrimRight(string(b), "\r\n"), whole, err
		}
	}
}

// take understands one line as far as this package can.
func (r *reader) take(text string, whole bool) {
	r.number++
	r.b.log.Lines++
	text, r.torn = r.torn+text, ""
	if !whole || len(text) > lineLimit {
		r.unparsed(text, errors.New("line too long"))
		return
	}
	if i := strings.Index(text, "strace: Process "); i > 0 && strings.HasSuffix(text, " attached") {
		r.torn, text = text[:i], text[i:] // on a terminal strace breaks its own line for the news
	}
	l, err := parseLine(text)
	if err == nil {
		err = r.date(&l)
	}
	if err != nil {
		r.unparsed(text, err)
		return
	}
	if l.attached != 0 {
		r.born[l.attached] = true
		return
	}
	r.owner(&l)
	r.stretch(&l)
	r.interrupt(&l)
	switch l.kind {
	case lineOther, lineSignal:
	case lineEnded:
		r.ended(l)
	case lineUnfinished:
		r.unfinished[l.tid] = keepUnfinished(l)
	case lineResumed:
		err = r.resumed(l)
	case lineCall:
		r.add(l, l.time, r.endOf(l))
	}
	if err != nil {
		r.unparsed(text, err)
	}
}

func (r *reader) unparsed(text string, why error) {
	r.b.log.Unparsed++
	if len(r.b.log.Examples) < exampleLimit {
		if len(text) > textLimit {
			text = text[:textLimit] + "…"
		}
		at := fmt.Sprintf("%s:%d", r.file.Name, r.number)
		r.b.log.Examples = append(r.b.log.Examples, Unparsed{at, text, why.Error()})
	}
}

// owner finds whose line it is. Without a pid that is the file's process, else the only one
// left, else the one that strace started.
func (r *reader) owner(l *line) {
	switch {
	case l.tid != 0:
		r.alive[l.tid] = true
		if r.main == 0 && !r.born[l.tid] {
			r.main = l.tid
		}
	case r.tid != 0:
		l.tid = r.tid
	case len(r.alive) == 1:
		for l.tid = range r.alive {
		}
	}
	if l.kind == lineEnded {
		delete(r.alive, l.tid)
	}
	r.b.named(l.tid, l.comm)
}

const halfDay, wholeDay = event.Time(12 * time.Hour), event.Time(24 * time.Hour)

// date turns a time of day into a time. Within a log midnight is where the time falls by hours.
func (r *reader) date(l *line) error {
	if !l.day || l.time == 0 && l.kind == lineOther {
		return nil
	}
	near := r.b.opts.Near
	if near == 0 {
		return errors.New("only the time of day (strace -ttt has the date)")
	}
	if !r.started {
		r.started = true
		t := time.Unix(0, int64(near)).In(r.b.opts.Zone)
		midnight := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, r.b.opts.Zone)
		r.shift = event.Time(midnight.UnixNano())
		switch d := l.time + r.shift - near; {
		case d > halfDay:
			r.shift -= wholeDay
		case d < -halfDay:
			r.shift += wholeDay
		}
		r.b.warn("%s has no dates: they were taken from the capture, the zone from this system", r.file.Name)
	}
	t := l.time + r.shift
	if t < r.last-halfDay {
		r.shift += wholeDay
		t += wholeDay
	}
	r.last = max(r.last, t)
	l.time = t
	return nil
}

// endOf returns when the call ended. Without -T it is not known: the start stands for it until the
// thread's next line is there.
func (r *reader) endOf(l line) event.Time {
	if l.ret == "?" {
		return 0
	}
	if !l.timed && !r.warned {
		r.warned = true
		r.b.warn("%s does not say how long calls took (strace -T): each is taken to last until its thread's next line", r.file.Name)
	}
	return l.time.Add(l.took)
}

// resumed puts the two halves of a call together.
func (r *reader) resumed(l line) error {
	h := r.unfinished[l.tid]
	if h == nil || h.name != l.name {
		return errors.New("resumed, but never begun")
	}
	delete(r.unfinished, l.tid)
	h.args += l.args
	h.kind, h.ret, h.timed, h.took = lineCall, l.ret, l.timed, l.took
	var end event.Time
	switch {
	case l.ret == "?":
	case l.timed:
		end = h.start.Add(l.took)
	default:
		end = max(l.time, h.start) // the clock may have been set back
	}
	r.add(h.line, h.start, end)
	return nil
}

// ended notes a thread's end; what it was inside of never returned.
func (r *reader) ended(l line) {
	if h := r.unfinished[l.tid]; h != nil {
		delete(r.unfinished, l.tid)
		r.add(h.line, h.start, 0)
	}
	delete(r.b.kept.touched, l.tid)
	r.keep(l, l.time, l.time)
}

// lookupLimit is how long strace -yy may look a socket up, listenerLimit how long one that listens, which it finds early.
const (
	lookupLimit   = 100 * time.Millisecond
	listenerLimit = 10 * time.Millisecond
)

// stretch corrects the end of a call now that its thread's next line is there: one that the log gives
// no duration lasts at most until then, and a connect or accept may last longer than it says. A line's
// time is that of strace's first look, -T counts only from when it lets the call go, and between the
// two -yy looks the socket up: the SYN of a connect that does not block is later than time plus
// duration, and so is that of a client for which an accept waited. Other calls have byte ranges that
// say what they did.
func (r *reader) stretch(next *line) {
	i, ok := r.open[next.tid]
	if !ok {
		return
	}
	delete(r.open, next.tid)
	c := &r.b.raws[i]
	if isUntimed(c.start, c.end) {
		c.end, c.atMost = max(c.end, next.time), true
		return
	}
	limit := lookupLimit
	if isAccept(c.name) {
		limit = listenerLimit
	}
	c.end = max(c.end, min(next.time, c.end.Add(limit)))
}

// interrupt notes the signal that comes right behind a close: it was pending when that returned.
func (r *reader) interrupt(next *line) {
	i, ok := r.closed[next.tid]
	if !ok {
		return
	}
	delete(r.closed, next.tid)
	if next.kind == lineSignal {
		r.b.raws[i].signal = r.b.shared(next.name)
	}
}

func isAccept(name string) bool { return name == "accept" || name == "accept4" }

// isUntimed reports whether nothing says how long the call took, or that it took no time.
func isUntimed(start, end event.Time) bool { return start == end }

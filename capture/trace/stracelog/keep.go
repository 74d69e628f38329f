package stracelog

import (
	"errors"
	"strconv"
	"strings"

	"github.com/closecap/closecap/analyze/event"
)

// defaultLimit is how many calls are kept, at some 600 bytes each.
const defaultLimit = 4_000_000

// ErrTooMany is the error of a log with more calls of sockets than Options.Limit.
var ErrTooMany = errors.New("too many socket calls")

// raw is one call whose halves have been put together, a thread's end, or (lineOther) only the
// time at which the thread still lived.
type raw struct {
	name       string // a key of handlers
	text       string // arguments and result, in one piece
	cut        int    // where in text the result begins
	tid        int
	start, end event.Time // end 0: it never returned, as far as the log goes
	atMost     bool       // end is the thread's next line's
	kind       lineKind
	signal     string // that came right behind it
}

func (r *raw) args() string { return r.text[:r.cut] }
func (r *raw) ret() string  { return r.text[r.cut:] }

// unfinishedCall is one of which the second half has not come.
type unfinishedCall struct {
	line
	start event.Time
}

// keepUnfinished keeps the first half of a call, and of one that does not matter the name alone.
func keepUnfinished(l line) *unfinishedCall {
	h := &unfinishedCall{line: line{kind: l.kind, tid: l.tid, name: strings.Clone(l.name)}, start: l.time}
	if handlers[l.name] != nil {
		h.args = strings.Clone(l.args)
	}
	return h
}

// keeper decides while logs are read what of them will be needed: files are read and written far
// more often than sockets.
type keeper struct {
	single  bool              // there is one log, so a descriptor is used after it was made
	calls   int               // kept
	touched map[int]int       // by thread its raw of kind lineOther
	named   map[int]bool      // descriptors of which the logs said what they are
	used    map[int]int       // by descriptor how many calls on it may have been about a TCP socket
	other   map[[2]int]*other // by thread and descriptor
}

// other is what a thread last did with a descriptor that is no TCP socket.
type other struct {
	used   int  // keeper.used when such a call was last kept
	closed bool // it was a close
	later  bool // that call was not kept
	at     event.Time
}

func newKeeper(single bool) keeper {
	return keeper{
		single: single, touched: map[int]int{}, named: map[int]bool{}, used: map[int]int{}, other: map[[2]int]*other{},
	}
}

// add keeps the calls that matter. Of one that is not about a TCP socket only its time is kept.
func (r *reader) add(l line, start, end event.Time) {
	if handlers[l.name] == nil {
		return
	}
	if !r.b.matters(&l) {
		r.b.touch(l.tid, max(start, end))
		return
	}
	if r.b.kept.calls++; r.b.kept.calls > r.b.opts.Limit {
		r.full = true
		return
	}
	if end != 0 && (l.name == "connect" || isAccept(l.name) || isUntimed(start, end)) {
		r.open[l.tid] = len(r.b.raws)
	}
	if end != 0 && l.name == "close" {
		r.closed[l.tid] = len(r.b.raws)
	}
	r.keep(l, start, end)
}

func (r *reader) keep(l line, start, end event.Time) {
	r.b.raws = append(r.b.raws, raw{
		name: r.b.shared(l.name), text: l.args + l.ret, cut: len(l.args),
		tid: l.tid, start: start, end: end, kind: l.kind,
	})
}

// touch notes that a thread was seen: what its process's end closes is dated by it.
func (b *builder) touch(tid int, at event.Time) {
	if i, ok := b.kept.touched[tid]; ok {
		b.raws[i].start = max(b.raws[i].start, at)
		return
	}
	b.kept.touched[tid] = len(b.raws)
	b.raws = append(b.raws, raw{tid: tid, start: at, kind: lineOther})
}

// matters reports whether a call may be about a TCP socket, or changes what descriptors are.
func (b *builder) matters(l *line) bool {
	switch l.name {
	case "exit_group":
		return false
	case "fcntl":
		if !strings.Contains(l.args, "F_DUPFD") {
			return false
		}
		fallthrough
	case "socket", "accept", "accept4", "dup", "dup2", "dup3":
		if d, ok := parseDescriptor(l.ret); ok {
			b.kept.named[d.fd] = true
			b.kept.used[d.fd]++
		}
		return true
	case "clone", "clone3", "fork", "vfork", "execve", "execveat":
		return true
	case "poll", "ppoll":
		return revealing(l.ret) || strings.Contains(l.args, "<TCP")
	case "sendfile", "splice":
		return strings.Contains(l.args, "<TCP") || !strings.Contains(l.args, "<")
	}
	first, _, _ := strings.Cut(l.args, ",")
	d, ok := parseDescriptor(first)
	switch {
	case !ok:
		return false
	case d.annotated && !d.tcp:
		return b.becomesOther(l, d.fd)
	case d.annotated:
	case b.kept.single && !b.kept.named[d.fd]:
		b.blind++
		return false
	default:
		b.catchUp(l.tid, d.fd)
	}
	b.kept.named[d.fd] = true
	b.kept.used[d.fd]++
	return true
}

// becomesOther reports whether a call is the first to show that a descriptor is no TCP socket.
func (b *builder) becomesOther(l *line, fd int) bool {
	k := &b.kept
	k.named[fd] = true
	key := [2]int{l.tid, fd}
	o, closed := k.other[key], l.name == "close"
	if o == nil || o.used != k.used[fd] {
		k.other[key] = &other{used: k.used[fd], closed: closed}
		return true
	}
	o.later = o.later || o.closed != closed
	o.closed, o.at = closed, l.time
	return false
}

// catchUp keeps what a thread last did with a descriptor that was another file, before a line
// that does not say what it is.
func (b *builder) catchUp(tid, fd int) {
	o := b.kept.other[[2]int{tid, fd}]
	if o == nil || !o.later {
		return
	}
	o.later = false
	name, arg := "read", strconv.Itoa(fd)+"</>"
	if o.closed {
		name = "close"
	}
	b.raws = append(b.raws, raw{name: name, text: arg, cut: len(arg), tid: tid, start: o.at, end: o.at, kind: lineCall})
}

// sharedLimit bounds the strings that calls share, in number and in length.
const sharedLimit, sharedLength = 4096, 64

// shared returns the one copy of a string that many calls hold, apart from the line it stood in.
func (b *builder) shared(s string) string {
	if w, ok := b.words[s]; ok {
		return w
	}
	s = strings.Clone(s)
	if len(s) <= sharedLength && len(b.words) < sharedLimit {
		b.words[s] = s
	}
	return s
}

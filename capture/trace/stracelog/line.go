package stracelog

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/closecap/closecap/analyze/event"
)

// lineKind is what a line says.
type lineKind uint8

const (
	lineOther      lineKind = iota // strace about itself, or how the thread stopped: nothing to do with sockets
	lineCall                       // a call and its result
	lineUnfinished                 // the first half of a call
	lineResumed                    // the second half
	lineEnded                      // the thread's end
	lineSignal                     // a signal, of which name is the name
)

// line is one line of a log, taken apart but not understood.
type line struct {
	kind  lineKind
	tid   int
	comm  string // under -Y
	time  event.Time
	day   bool // time is since midnight: the log has no date
	name  string
	args  string // between the parentheses; of a half, as far as it goes
	ret   string // after "= ", the errno's explanation included; of lineEnded, how
	took  time.Duration
	timed bool // took is known

	attached int // strace's word of a new thread
}

var (
	errNoTime   = errors.New("no time stamp (strace -ttt)")
	errCoarse   = errors.New("only whole seconds, too coarse beside packets (strace -ttt)")
	errRelative = errors.New("a time since the line before, no date (strace -ttt)")
	errNoResult = errors.New("no result")
	errNoCall   = errors.New("not a call")
)

// parseLine takes one line apart.
func parseLine(text string) (line, error) {
	var l line
	if news, ok := strings.CutPrefix(text, "strace: "); ok {
		if id, ok := strings.CutSuffix(news, " attached"); ok {
			l.attached, _ = strconv.Atoi(strings.TrimPrefix(id, "Process "))
		}
		return l, nil
	}
	rest := l.takePID(text)
	rest, err := l.takeTime(rest)
	if err != nil {
		return l, err
	}
	rest = takePlace(rest)
	switch {
	case strings.HasPrefix(rest, "--- ") && strings.HasSuffix(rest, " ---"):
		if name, _, ok := strings.Cut(rest[len("--- "):], " {"); ok {
			l.kind, l.name = lineSignal, name
		}
		return l, nil
	case strings.HasPrefix(rest, "+++ ") && strings.HasSuffix(rest, " +++"):
		l.ret = strings.TrimSuffix(rest[len("+++ "):], " +++")
		if strings.HasPrefix(l.ret, "exited with ") || strings.HasPrefix(l.ret, "killed by ") {
			l.kind = lineEnded
		}
		return l, nil
	case strings.HasPrefix(rest, "<... "):
		return l, l.takeResumed(rest[len("<... "):])
	}
	return l, l.takeCall(rest)
}

// takePID reads "1234 ", "[pid  1234] " and "1234<python3> ".
func (l *line) takePID(text string) string {
	rest := text
	bracket := strings.HasPrefix(rest, "[pid ")
	if bracket {
		rest = strings.TrimLeft(rest[len("[pid "):], " ")
	}
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	pid, err := strconv.Atoi(rest[:digits])
	if err != nil || pid <= 0 {
		return text
	}
	rest = rest[digits:]
	if strings.HasPrefix(rest, "<") {
		comm, after, ok := strings.Cut(rest[1:], ">")
		if !ok {
			return text
		}
		l.comm, rest = comm, after
	}
	if bracket {
		after, ok := strings.CutPrefix(rest, "]")
		if !ok {
			return text
		}
		rest = after
	}
	if !strings.HasPrefix(rest, " ") {
		return text // "1690000000.5 …": a time
	}
	l.tid = pid
	return strings.TrimLeft(rest, " ")
}

// relativeLimit is below every date that strace ever wrote, and above what -r can mean.
const relativeLimit = 600_000_000 // 1989

// takeTime reads "1690000000.123456 " or "12:34:56.123456 ", with any number of digits.
func (l *line) takeTime(text string) (string, error) {
	word, rest, _ := strings.Cut(text, " ")
	whole, fraction, _ := strings.Cut(word, ".")
	nanos, ok := parseFraction(fraction)
	if !ok {
		return text, errNoTime
	}
	coarse := fraction == ""
	if len(whole) == len("15:04:05") && whole[2] == ':' && whole[5] == ':' {
		t, err := time.Parse("15:04:05", whole)
		if err != nil {
			return text, errNoTime
		}
		if coarse {
			return text, errCoarse
		}
		l.day = true
		l.time = event.Time(int64(t.Hour()*3600+t.Minute()*60+t.Second())*int64(time.Second) + nanos)
		return rest, nil
	}
	seconds, err := strconv.ParseUint(whole, 10, 32)
	if err != nil {
		return text, errNoTime
	}
	switch {
	case coarse:
		return text, errCoarse
	case seconds < relativeLimit:
		return text, errRelative
	}
	l.time = event.Time(int64(seconds)*int64(time.Second) + nanos)
	return rest, nil
}

// parseFraction reads the digits after a decimal point as nanoseconds.
func parseFraction(digits string) (int64, bool) {
	if len(digits) > 9 {
		return 0, false
	}
	n, err := strconv.ParseUint((digits + "000000000")[:9], 10, 32)
	return int64(n), err == nil
}

// takePlace skips what -n and -i put before a call: "[ 232] [00007f1c0a1c33a8] ".
func takePlace(rest string) string {
	for strings.HasPrefix(rest, "[") {
		place, after, ok := strings.Cut(rest[1:], "] ")
		if !ok || strings.Trim(place, " ?0123456789abcdef") != "" {
			break
		}
		rest = after
	}
	return rest
}

// takeCall reads "name(args) = ret <took>" and "name(args <unfinished ...>".
func (l *line) takeCall(rest string) error {
	open := strings.IndexByte(rest, '(')
	if open <= 0 || !isName(rest[:open]) {
		return errNoCall
	}
	l.name, rest = rest[:open], rest[open+1:]
	for _, mark := range []string{" <unfinished ...>", " <detached ...>"} {
		if args, ok := strings.CutSuffix(rest, mark); ok {
			l.kind, l.args = lineUnfinished, args
			return nil
		}
	}
	l.kind = lineCall
	return l.takeResult(rest)
}

// takeResumed reads "name resumed>args) = ret <took>".
func (l *line) takeResumed(rest string) error {
	name, rest, ok := strings.Cut(rest, " resumed>")
	if !ok || !isName(name) {
		return errNoCall
	}
	l.kind, l.name = lineResumed, name
	return l.takeResult(strings.TrimPrefix(rest, " <unfinished ...>"))
}

// takeResult splits "args) = ret <took>" at the parenthesis that ends the arguments.
func (l *line) takeResult(rest string) error {
	end := closing(rest)
	if end < 0 {
		return errNoResult
	}
	l.args = rest[:end]
	ret, ok := strings.CutPrefix(strings.TrimLeft(rest[end+1:], " "), "=")
	if !ok {
		return errNoResult
	}
	ret = strings.TrimSpace(ret)
	if i := strings.LastIndex(ret, " <"); i >= 0 && strings.HasSuffix(ret, ">") {
		if took, ok := parseSeconds(ret[i+2 : len(ret)-1]); ok {
			l.took, l.timed = took, true
			ret = ret[:i]
		}
	}
	l.ret = strings.TrimSpace(ret)
	if l.ret == "" {
		return errNoResult
	}
	return nil
}

// parseSeconds reads what -T prints: "0.000012".
func parseSeconds(s string) (time.Duration, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	seconds, err := strconv.ParseUint(whole, 10, 32)
	nanos, ok := parseFraction(fraction)
	return time.Duration(seconds)*time.Second + time.Duration(nanos), err == nil && ok
}

// isName reports whether s can be a call's name. Of a thread that is killed too soon strace does
// not know it, and writes question marks.
func isName(s string) bool {
	if strings.Trim(s, "?") == "" {
		return s != ""
	}
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

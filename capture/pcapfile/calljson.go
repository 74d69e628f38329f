package pcapfile

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strconv"

	"github.com/closecap/closecap/analyze/event"
)

// callReader reads calls as marshal writes them, in a ninth of the time of encoding/json; a
// recording may hold a million. What stands there in another way it leaves to encoding/json.
// Texts and addresses that were read before share their memory.
type callReader struct {
	texts     map[string]string
	addresses map[string]netip.AddrPort
	second    [len("2006-01-02T15:04:05")]byte // the last one read, and what it is
	at        event.Time
}

const (
	sharedTexts = 1 << 16 // at most; then others are collected
	sharedSize  = 64      // bytes of a text that may occur again
)

// read reports whether b is a call that c now holds.
func (r *callReader) read(b []byte, c *event.Call) bool {
	s := jsonScanner{b: b}
	for more := s.take('{'); more; more = s.take(',') {
		key, plain := s.text()
		if !plain || !s.take(':') || !r.field(&s, string(key), c) {
			return false
		}
	}
	return s.take('}') && len(s.b) == 0
}

func (r *callReader) field(s *jsonScanner, key string, c *event.Call) bool {
	if to := textOf(c, key); to != nil {
		return r.text(s, to)
	}
	if to := numberOf(c, key); to != nil {
		return s.int(to)
	}
	switch key {
	case "socket":
		return s.uint64(&c.Socket)
	case "local":
		return r.address(s, &c.Local)
	case "remote":
		return r.address(s, &c.Remote)
	case "ret":
		return s.int64(&c.Ret)
	case "start":
		return r.time(s, &c.Start)
	case "end":
		return r.time(s, &c.End)
	case "thread":
		return s.bool(&c.Thread)
	case "blocked":
		return s.bool(&c.Blocked)
	case "peek":
		return s.bool(&c.Peek)
	case "io_uring":
		return s.bool(&c.Ring)
	case "holders":
		return s.part(&c.Holders)
	case "sent":
		return s.part(&c.Sent)
	case "counters":
		return s.part(&c.Counters)
	case "samples":
		return s.part(&c.Samples)
	}
	return false
}

// textOf returns where c keeps the text of a key, nil where that is none.
func textOf(c *event.Call, key string) *string {
	switch key {
	case "actor":
		return &c.Actor
	case "name":
		return &c.Name
	case "args":
		return &c.Args
	case "syscall":
		return &c.Syscall
	case "errno":
		return &c.Errno
	case "text":
		return &c.Text
	case "at":
		return &c.At
	case "want":
		return &c.Want
	case "signal":
		return &c.Signal
	case "note":
		return &c.Note
	}
	return nil
}

// numberOf returns where c keeps the number of a key, nil where that is none.
func numberOf(c *event.Call, key string) *int {
	switch key {
	case "id":
		return &c.ID
	case "pid":
		return &c.PID
	case "tid":
		return &c.TID
	case "fd":
		return &c.FD
	case "accepted":
		return &c.Accepted
	case "recvq":
		return &c.RecvQ
	}
	return nil
}

func (r *callReader) text(s *jsonScanner, to *string) bool {
	b, plain := s.text()
	if !plain {
		return b != nil && json.Unmarshal(b, to) == nil && restoreText(to)
	}
	if len(b) > sharedSize {
		*to = string(b)
		return true
	}
	known, ok := r.texts[string(b)]
	if !ok {
		if r.texts == nil || len(r.texts) >= sharedTexts {
			r.texts = map[string]string{}
		}
		known = string(b)
		r.texts[known] = known
	}
	*to = known
	return true
}

func restoreText(s *string) bool {
	*s = restoreString(*s)
	return true
}

func (r *callReader) address(s *jsonScanner, to *netip.AddrPort) bool {
	b, plain := s.text()
	if !plain || len(b) > sharedSize {
		return false
	}
	known, ok := r.addresses[string(b)]
	if !ok {
		if known.UnmarshalText(b) != nil {
			return false
		}
		if r.addresses == nil || len(r.addresses) >= sharedTexts {
			r.addresses = map[string]netip.AddrPort{}
		}
		r.addresses[string(b)] = known
	}
	*to = known
	return true
}

// time reads what event.Time writes, to the nanosecond.
func (r *callReader) time(s *jsonScanner, to *event.Time) bool {
	const layout = "2006-01-02T15:04:05.000000000Z"
	b, plain := s.text()
	if !plain || len(b) != len(layout) && len(b) != 0 {
		return false
	}
	if len(b) == 0 {
		*to = 0
		return true
	}
	whole, frac := b[:len(r.second)], b[len(r.second):]
	if !bytes.Equal(whole, r.second[:]) {
		var t event.Time
		if t.UnmarshalText(append(bytes.Clone(whole), 'Z')) != nil {
			return false
		}
		copy(r.second[:], whole)
		r.at = t
	}
	ns := event.Time(0)
	for _, c := range frac[1:10] {
		if c < '0' || c > '9' {
			return false
		}
		ns = 10*ns + event.Time(c-'0')
	}
	if frac[0] != '.' || frac[10] != 'Z' {
		return false
	}
	*to = r.at + ns
	return true
}

// jsonScanner takes values from the front of a JSON text without blanks.
type jsonScanner struct{ b []byte }

func (s *jsonScanner) at(c byte) bool { return len(s.b) > 0 && s.b[0] == c }

func (s *jsonScanner) take(c byte) bool {
	if !s.at(c) {
		return false
	}
	s.b = s.b[1:]
	return true
}

// text takes a string: what stands between the quotation marks where that is plain ASCII, else
// all of it as it stands. nil means that there is none.
func (s *jsonScanner) text() (b []byte, plain bool) {
	if !s.at('"') {
		return nil, false
	}
	plain = true
	for i := 1; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"' && plain:
			b, s.b = s.b[1:i], s.b[i+1:]
			return b, true
		case c == '"':
			b, s.b = s.b[:i+1], s.b[i+1:]
			return b, false
		case c == '\\':
			plain = false
			i++
		case c < ' ' || c > '~':
			plain = false
		}
	}
	return nil, false
}

// number takes the characters of a whole number.
func (s *jsonScanner) number() []byte {
	n := 0
	for n < len(s.b) && (s.b[n] >= '0' && s.b[n] <= '9' || s.b[n] == '-') {
		n++
	}
	text := s.b[:n]
	digits := bytes.TrimPrefix(text, []byte("-"))
	if n == 0 || len(digits) > 1 && digits[0] == '0' {
		return nil
	}
	s.b = s.b[n:]
	return text
}

func (s *jsonScanner) int64(to *int64) (ok bool) {
	n, err := strconv.ParseInt(string(s.number()), 10, 64)
	*to = n
	return err == nil
}

func (s *jsonScanner) int(to *int) (ok bool) {
	n, err := strconv.Atoi(string(s.number()))
	*to = n
	return err == nil
}

func (s *jsonScanner) uint64(to *uint64) (ok bool) {
	n, err := strconv.ParseUint(string(s.number()), 10, 64)
	*to = n
	return err == nil
}

func (s *jsonScanner) bool(to *bool) bool {
	word := "false"
	if s.at('t') {
		word = "true"
	}
	if len(s.b) < len(word) || string(s.b[:len(word)]) != word {
		return false
	}
	*to, s.b = word == "true", s.b[len(word):]
	return true
}

// part takes an array or an object into what to points to.
func (s *jsonScanner) part(to any) bool {
	depth, end := 0, 0
	for rest := (jsonScanner{s.b}); len(rest.b) > 0 && end == 0; {
		switch c := rest.b[0]; c {
		case '"':
			if b, _ := rest.text(); b == nil {
				return false
			}
			continue
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		}
		rest.b = rest.b[1:]
		if depth == 0 {
			end = len(s.b) - len(rest.b)
		}
	}
	if !s.at('[') && !s.at('{') || end == 0 || json.Unmarshal(s.b[:end], to) != nil {
		return false
	}
	restore(to)
	s.b = s.b[end:]
	return true
}

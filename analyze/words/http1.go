package words

import (
	"bytes"
	"strconv"
	"strings"
)

// isHTTP1 wants a request line, or what begins as one and a status line: a server says 408 before the line is whole,
// and 400 where it is none. It also wants a status line where the server speaks first.
func isHTTP1(client, server []byte) answer {
	status := begins(server, "HTTP/1.")
	if len(client) == 0 {
		return status
	}
	method, _, ok := bytes.Cut(client[:min(len(client), longestMethod+1)], []byte(" "))
	switch {
	case len(method) == 0 || !beginsMethod(client):
		return no
	case !ok:
		return status
	}
	line, _, ok := bytes.Cut(client[len(method):], []byte("\n"))
	if ok && plainText(line) && bytes.Contains(line, []byte(" HTTP/1.")) {
		return yes
	}
	return status
}

// longestMethod is how long the name of a method is at most.
const longestMethod = 20

// beginsMethod reports whether a line begins, as far as it has come, as a request's does.
func beginsMethod(line []byte) bool {
	method, _, _ := bytes.Cut(line[:min(len(line), longestMethod+1)], []byte(" "))
	return len(method) <= longestMethod && upperCase(method)
}

func upperCase(b []byte) bool {
	for _, c := range b {
		if (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// What is kept of a header at most, and of how many requests without an answer.
const (
	maxHeader   = 16 << 10
	maxRequests = 256
)

// part is where in a message its sender is.
type part uint8

const (
	inHeader part = iota
	inBody
	inChunkSize
	inChunk
	inTrailer
	untilFIN
	unreadable
)

// message is what one end has said of the message at hand, or of the last one.
type message struct {
	part   part
	text   []byte // of the header, or of a line, as far as it has come
	start  string // its first line
	status int    // of a final answer
	close  bool   // Connection: close
	length int64  // of the body, -1 where it tells its own end
	left   int64  // of the body or the chunk
	at     spot   // of the first line
	none   bool   // the length may be that of a body which is not sent
	alien  bool   // the first answer is no HTTP
	error  bool   // an answer that is one, and tells of it in its body
}

// http1 follows requests and answers of HTTP/1 (RFC 9112).
type http1 struct {
	ends    [2]message
	methods []byte  // first letters of the requests without a final answer
	to      reader  // after an upgrade
	answers *stream // nil where nobody asks for relays
	error   []byte  // the beginning of the body of the last answer, where that is an error
}

func newHTTP1() reader { return &http1{} }

func (r *http1) said(e End, b []byte, at spot) {
	for m := &r.ends[e]; len(b) > 0 && m.part != unreadable; {
		if r.to != nil {
			r.to.said(e, b, at)
			return
		}
		switch m.part {
		case inHeader:
			b = r.header(e, b, at)
		case inBody, inChunk:
			n := min(m.left, int64(len(b)))
			r.carries(e, b[:n], at)
			b = b[n:]
			r.body(m, n)
		case inChunkSize, inTrailer:
			b = m.line(b)
		case untilFIN:
			r.carries(e, b, at)
			return
		}
	}
}

// carries keeps what tells whether the body of an answer is the same elsewhere.
func (r *http1) carries(e End, body []byte, at spot) {
	if e == Server && r.answers != nil {
		r.answers.add(body, at.time)
	}
	if room := maxErrorBody - len(r.error); e == Server && r.ends[e].error && room > 0 {
		r.error = append(r.error, body[:min(len(body), room)]...)
	}
}

func (r *http1) skip(e End, n int64) {
	m := &r.ends[e]
	if e == Server && r.answers != nil {
		r.answers.torn = true
	}
	switch {
	case r.to != nil:
		r.to.skip(e, n)
	case m.part == untilFIN:
	case (m.part == inBody || m.part == inChunk) && n <= m.left:
		r.body(m, n)
	default:
		m.part = unreadable
	}
}

// body passes n bytes of it.
func (r *http1) body(m *message, n int64) {
	if m.left -= n; m.left > 0 {
		return
	}
	if m.part == inBody {
		m.part = inHeader
		return
	}
	m.part = inChunkSize
}

// line takes a chunk's size or a line of a trailer (RFC 9112 7.1). The end of a chunk's data is an empty
// line, which is passed over.
func (m *message) line(b []byte) (rest []byte) {
	n := bytes.IndexByte(b, '\n')
	if n < 0 {
		n = len(b) - 1
	}
	m.text, rest = append(m.text, b[:n+1]...), b[n+1:]
	if len(m.text) > maxHeader {
		m.part = unreadable
		return nil
	}
	if m.text[len(m.text)-1] != '\n' {
		return nil
	}
	text := strings.TrimSpace(string(m.text))
	m.text = m.text[:0]
	if m.part == inTrailer {
		if text == "" {
			m.part = inHeader
		}
		return rest
	}
	if text == "" {
		return rest
	}
	digits, _, _ := strings.Cut(text, ";")
	size, err := strconv.ParseInt(strings.TrimSpace(digits), 16, 62)
	switch {
	case err != nil || size < 0:
		m.part = unreadable
	case size == 0:
		m.part = inTrailer
	default:
		m.part, m.left = inChunk, size
	}
	return rest
}

// header takes what belongs to the header, and what it says once it is complete.
func (r *http1) header(e End, b []byte, at spot) (rest []byte) {
	m := &r.ends[e]
	if len(m.text) == 0 {
		b = bytes.TrimLeft(b, "\r\n")
		if len(b) == 0 {
			return nil
		}
		m.at = at
	}
	from := max(0, len(m.text)-3)
	m.text = append(m.text, b...)
	size := headerEnd(m.text, from)
	first, _, _ := bytes.Cut(m.text, []byte("\n"))
	switch {
	case e == Server && begins(m.text, "HTTP/1.") == no:
		m.part, m.alien = unreadable, m.start == "" && len(r.methods) > 0
		return nil
	case size < 0 && len(m.text) > maxHeader, !plainText(first), e == Client && !beginsMethod(first):
		m.part = unreadable
		return nil
	case size < 0:
		return nil
	}
	rest = b[len(b)-(len(m.text)-size):]
	lines := strings.Split(string(m.text[:size]), "\n")
	m.text = m.text[:0]
	m.start = strings.TrimSuffix(lines[0], "\r")
	h := fields(lines[1:])
	m.close = h.has("connection", "close")
	if e == Client {
		r.request(m, h)
	} else {
		r.answer(m, h)
	}
	return rest
}

// headerEnd returns where the empty line after a header ends, or -1. It looks from a place on.
func headerEnd(b []byte, from int) int {
	for i := from; i < len(b); i++ {
		if b[i] != '\n' {
			continue
		}
		switch {
		case i+1 < len(b) && b[i+1] == '\n':
			return i + 2
		case i+2 < len(b) && b[i+1] == '\r' && b[i+2] == '\n':
			return i + 3
		}
	}
	return -1
}

// fields are the lines of a header.
type fields []string

// get returns the value of the first field of a name, in lower case.
func (h fields) get(name string) (string, bool) {
	for _, line := range h {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(key, name) {
			return strings.ToLower(strings.TrimSpace(value)), true
		}
	}
	return "", false
}

// has reports whether a field's list holds a word.
func (h fields) has(name, word string) bool {
	value, _ := h.get(name)
	for w := range strings.SplitSeq(value, ",") {
		if strings.TrimSpace(w) == word {
			return true
		}
	}
	return false
}

// body says how what follows a header ends (RFC 9112 6.3).
func (m *message) body(h fields, answer bool) {
	m.length = 0
	coding, coded := h.get("transfer-encoding")
	length, sized := h.get("content-length")
	switch {
	case coded && strings.HasSuffix(coding, "chunked"):
		m.part, m.length = inChunkSize, -1
	case coded || !sized && answer:
		m.part, m.length = untilFIN, -1
	case sized:
		n, err := strconv.ParseInt(length, 10, 62)
		if err != nil || n < 0 {
			m.part = unreadable
			return
		}
		if m.length, m.left = n, n; n > 0 {
			m.part = inBody
		}
	}
}

func (r *http1) request(m *message, h fields) {
	if !strings.Contains(m.start, " HTTP/1.") {
		m.part = unreadable
		return
	}
	if len(r.methods) == maxRequests {
		m.part = unreadable
		return
	}
	r.methods = append(r.methods, m.start[0])
	if strings.HasPrefix(m.start, "CONNECT ") {
		r.methods[len(r.methods)-1] = 'c'
	}
	m.body(h, false)
}

// answer takes the header of an answer. One to HEAD has no body, whatever it says.
func (r *http1) answer(m *message, h fields) {
	method := byte(0)
	if len(r.methods) > 0 && r.ends[Client].part != unreadable {
		method = r.methods[0]
	}
	_, code, _ := strings.Cut(m.start, " ")
	code, _, _ = strings.Cut(code, " ")
	status, err := strconv.Atoi(code)
	if !strings.HasPrefix(m.start, "HTTP/1.") || err != nil || status < 100 || status > 999 {
		m.part = unreadable
		return
	}
	m.status = status
	if status == 101 {
		r.upgrade(h)
		return
	}
	if status < 200 {
		return
	}
	if len(r.methods) > 0 {
		r.methods = r.methods[1:]
	}
	m.length, m.none = 0, method == 0
	_, coded := h.get("content-encoding")
	m.error, r.error = status >= 400 && !coded, nil
	if r.answers != nil {
		r.answers.reset()
	}
	switch {
	case method == 'c' && status < 300:
		r.to = deaf{}
	case method == 'H' || status == 204 || status == 304:
	default:
		m.body(h, true)
	}
}

func (r *http1) upgrade(h fields) {
	switch {
	case h.has("upgrade", "websocket"):
		r.to = &websocket{}
	case h.has("upgrade", "h2c"):
		r.to = newHTTP2()
	default:
		r.to = deaf{}
	}
}

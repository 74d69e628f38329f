package words

import (
	"fmt"
	"strings"

	"github.com/closecap/closecap/analyze"
)

func (r *http1) last(e End, how fate) said {
	if r.to != nil {
		return r.to.last(e, how)
	}
	m := &r.ends[e]
	if m.alien {
		return said{meaning: "no HTTP, in answer to " + clip([]byte(r.ends[Client].start)), sure: analyze.Observed, at: m.at, tells: true, strange: true}
	}
	if m.part == unreadable || m.start == "" && len(m.text) == 0 {
		return said{}
	}
	w := said{sure: analyze.Observed, at: m.at, meaning: clip([]byte(m.start))}
	cut := ""
	switch {
	case m.part == inHeader && len(m.text) > 0:
		cut = "cut within its header"
		if how.done {
			w.meaning = clip([]byte(firstLine(string(m.text))))
		}
	case m.part == inBody && (!m.none || m.left < m.length):
		cut, w.missing = fmt.Sprintf("cut: %d of the %d bytes of its body came", m.length-m.left, m.length), m.left
	case m.part == inChunkSize || m.part == inChunk || m.part == inTrailer:
		cut = "cut: the last chunk is missing"
	}
	w.goesOn = cut != ""
	switch n := r.outstanding(); {
	case w.goesOn && how.done:
		w.meaning, w.tells, w.cut = w.meaning+", "+cut, true, true
		w.began = m.at.time
		w.answered = e == Client && m.part != inHeader && n == 0 && r.ends[Server].status != 0 && r.ends[Server].part != unreadable
	case e == Client && n > 0 && how.heard:
		w.open, w.waits, w.asked = n, "no answer to "+w.meaning, w.at
		w.meaning, w.tells = "without an answer: "+w.meaning, true
		if n > 1 {
			w.waits = fmt.Sprintf("no answer to %d requests, the last %s", n, clip([]byte(m.start)))
			w.meaning = fmt.Sprintf("%d requests %s", n, w.meaning)
		}
	case e == Server && (m.close || m.status >= 400):
		w.tells = true
	}
	w.goodbye = m.goodbye(w.meaning)
	w.goodbye.stays = w.goodbye.error && r.persists()
	if m.error && w.goodbye.words != "" {
		_, reason, _ := strings.Cut(strings.TrimPrefix(m.start, "HTTP/1."), " ")
		_, reason, _ = strings.Cut(reason, " ")
		if text := errorText(m.status, reason, r.error); text != "" {
			w.goodbye.told = ": " + quoted(text)
		}
	}
	w.counts = r.ends[Server].part != unreadable && r.ends[Client].part != unreadable
	if m.close {
		w.meaning += " (Connection: close)"
	}
	w.meaning += w.goodbye.told
	return w
}

// goodbye is what m announces of the connection's end, or an error.
func (m *message) goodbye(meaning string) goodbye {
	switch {
	case m.close && m.status < 400:
		return goodbye{words: "Connection: close", name: "Connection: close", at: m.at, usual: true}
	case m.close:
		return goodbye{words: meaning + " (Connection: close)", name: "error", at: m.at}
	case m.status >= 400:
		return goodbye{words: meaning, name: "error", at: m.at, error: true}
	}
	return goodbye{}
}

// persists reports whether the last answer leaves the connection as it is (RFC 9112 9.3): the next request may follow.
func (r *http1) persists() bool {
	c, s := &r.ends[Client], &r.ends[Server]
	return c.part == inHeader && s.part == inHeader && len(c.text) == 0 && len(s.text) == 0 && len(r.methods) == 0 && !c.close && !s.close &&
		strings.HasPrefix(s.start, "HTTP/1.1 ") && strings.HasSuffix(c.start, " HTTP/1.1")
}

// outstanding counts the requests of which no final answer has begun.
func (r *http1) outstanding() int {
	if r.ends[Server].part == unreadable || r.ends[Client].part == unreadable {
		return 0
	}
	return len(r.methods)
}

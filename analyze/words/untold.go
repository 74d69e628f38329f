package words

import (
	"bytes"

	"github.com/closecap/closecap/analyze"
)

// httpMethods are those of requests with a path (RFC 9110 9.3, RFC 5789).
var httpMethods = [...]string{"GET /", "HEAD /", "POST /", "PUT /", "DELETE /", "OPTIONS /", "PATCH /"}

// untold is what an end said to one that said nothing, where that looks like a protocol and does not tell it: half a
// request line of HTTP, for the rest of which the server waits in vain, or the SETTINGS and GOAWAY of HTTP/2 to a client
// that does not begin.
func (t *Talk) untold(e End, how fate) (w said) {
	if t.told || t.rest == nil || !how.done || !t.ends[e.Other()].mute() {
		return said{}
	}
	switch head := t.heads[e]; {
	case e == Server && http2.speaks(head) == yes:
		r := newHTTP2()
		r.said(Server, head, t.ends[e].at)
		w = r.last(Server, how)
		w.protocol = http2.name
	case e == Client && halfRequest(head):
		w = said{meaning: clip(head) + ", cut within its first line", protocol: "http1", tells: true, cut: true, at: t.ends[e].at}
	}
	w.sure = analyze.Inferred
	return w
}

// halfRequest reports whether b begins a request line that has not come to its end.
func halfRequest(b []byte) bool {
	for _, method := range httpMethods {
		if begins(b, method) == yes {
			return plainText(b) && bytes.IndexByte(b, '\n') < 0
		}
	}
	return false
}

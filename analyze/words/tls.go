package words

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/closecap/closecap/analyze"
	"github.com/closecap/closecap/analyze/event"
)

// TLS record types (RFC 8446 5.1) and the handshake messages that are looked for.
const (
	tlsChangeCipher = 20
	tlsAlert        = 21
	tlsHandshake    = 22
	tlsData         = 23

	tlsClientHello = 1
	tlsServerHello = 2
)

// tlsGoodbye is the name of an alert, which ends TLS.
const tlsGoodbye = "TLS alert"

// closeNotify is one that says no more than that, in words.
const closeNotify = "TLS alert: warning close_notify"

// isTLS wants a ClientHello, or an alert of a server that takes what it heard, or its silence, for none.
func isTLS(client, server []byte) answer {
	if len(client) == 0 && len(server) > 0 {
		return tlsRefusal(server)
	}
	return tlsHello(client, tlsClientHello)
}

// tlsRefusal wants an alert alone.
func tlsRefusal(b []byte) answer {
	for i, most := range [...]byte{tlsAlert, 3, 4, 0, 2, 2, 0xff} {
		switch {
		case i >= len(b):
			return more
		case b[i] > most || b[i] != most && (i < 2 || i == 3 || i == 4), i == 5 && b[i] == 0:
			return no
		}
	}
	return yes
}

func tlsHello(b []byte, kind byte) answer {
	for i, ok := range []func(c byte) bool{
		func(c byte) bool { return c == tlsHandshake },
		func(c byte) bool { return c == 3 },
		func(c byte) bool { return c <= 4 },
		func(c byte) bool { return c <= 0x40 },
		func(byte) bool { return true },
		func(c byte) bool { return c == kind },
	} {
		switch {
		case i >= len(b):
			return more
		case !ok(b[i]):
			return no
		}
	}
	return yes
}

// tlsSize reads a record's header.
func tlsSize(h []byte) (want int, total int64) {
	const header = 5
	if len(h) < header {
		return header - len(h), 0
	}
	n := binary.BigEndian.Uint16(h[3:])
	if h[0] < tlsChangeCipher || h[0] > tlsData+1 || h[1] != 3 || h[2] > 4 || n > 1<<14+2048 {
		return 0, -1
	}
	return 0, header + int64(n)
}

// tlsEarly is what was not complete.
const tlsEarly = "the TLS handshake was complete"

// maxClear is how much is kept of what a server says where TLS is expected.
const maxClear = 200

// tlsReader follows the records of a TLS connection. What is in them it can't read, but for alerts before
// the keys are agreed.
type tlsReader struct {
	ends [2]struct {
		frames
		kind    byte   // of the last record
		length  int64  // of its content
		content []byte // of an alert, as far as it was captured
		at      spot
		sealed  int // records of type data or sealed handshakes
		closing int64
		before  event.Time // when it had last said something that does not only close
		strange bool       // it began with what is no record
		keyed   bool       // it changed to the agreed keys
		alone   bool       // of the server: what closes is all that it said to the client's last message
		woke    woke
	}
	spoke  End        // who said the last record that is no alert,
	heard  event.Time // and when
	sealed int64      // the length of the client's first sealed record in TLS 1.3, of its handshake
	took   bool       // and the server said more after that than an alert
	hello  bool       // a ServerHello came
	modern bool       // and it chose TLS 1.3
	data   bool       // records of data came: the handshake is over, or sealed
	clear  []byte     // the server's answer to a ClientHello, where it is none of TLS
}

func newTLS() reader { return &tlsReader{} }

func (r *tlsReader) said(e End, b []byte, at spot) {
	d := &r.ends[e]
	if e == Server && d.kind == 0 && (len(r.clear) > 0 || len(d.msg) == 0 && b[0] > ' ' && b[0] < 0x7f) {
		if r.clear == nil {
			d.at = at
		}
		r.clear = append(r.clear, b[:min(len(b), maxClear-len(r.clear))]...)
		return
	}
	if d.lost && wholeRecords(b) { // the chance of as much by accident is one in 2^40
		d.frames, d.sealed = frames{}, max(d.sealed, 1)
	}
	lost := d.lost
	d.feed(b, tlsSize, func(msg []byte, total int64) { r.record(e, msg, total, at) })
	d.strange = d.strange || !lost && d.lost && d.kind == 0
}

// wholeRecords reports whether b is records to its end: so it is as a rule where their sender wrote them at once.
func wholeRecords(b []byte) bool {
	for len(b) > 0 {
		_, total := tlsSize(b)
		if total <= 0 || total > int64(len(b)) {
			return false
		}
		b = b[total:]
	}
	return true
}

func (r *tlsReader) skip(e End, n int64) {
	r.ends[e].frames.skip(n, func(msg []byte, total int64) { r.record(e, msg, total, r.ends[e].at) })
}

func (r *tlsReader) record(e End, msg []byte, total int64, at spot) {
	const header = 5
	d := &r.ends[e]
	d.kind, d.length, d.at = msg[0], total-header, at
	d.content = nil
	switch d.kind {
	case tlsChangeCipher:
		d.keyed = true
	case tlsAlert:
		d.content = slices.Clone(msg[header:])
	case tlsData:
		d.sealed++
		r.data = true
	case tlsHandshake:
		hello := e == Server && len(msg) > header && msg[header] == tlsServerHello
		r.hello = r.hello || hello
		r.modern = r.modern || hello && choosesTLS13(msg[header:])
	}
	if d.kind == tlsAlert || r.sealedAlert(e) {
		if d.closing == 0 {
			d.alone = e == Server && r.data && r.spoke == Client && r.ends[Client].closing == 0 && at.time.Sub(r.heard) < longIdle
		}
		d.closing += total
		r.took = r.took || e == Client && r.ends[Server].closing == 0 // what it says now answers that
		return
	}
	if idle := at.time.Sub(r.heard); r.data && r.heard != 0 && idle >= longIdle && (e == Client || r.spoke == e) { // a server that spoke last answers nothing
		d.woke = woke{at, idle}
	}
	if r.ends[e.Other()].closing == 0 { // what follows a goodbye is late
		r.ends[e.Other()].woke = woke{}
	}
	r.spoke, r.heard = e, at.time
	switch d.closing, d.before = 0, at.time; {
	case e == Client && r.modern && d.kind == tlsData && r.sealed == 0:
		r.sealed = d.length
	case e == Server && r.sealed != 0:
		r.took = true
	}
}

// sealedAlert reports whether the last record of e is as long as TLS 1.3 makes an alert: its two bytes, its
// type and a tag of 16. Data of two bytes looks the same.
func (r *tlsReader) sealedAlert(e End) bool {
	d := &r.ends[e]
	return r.modern && d.kind == tlsData && d.length == 2+1+16 && d.sealed > 1
}

// choosesTLS13 reads the supported_versions of a ServerHello (RFC 8446 4.1.3, 4.2.1).
func choosesTLS13(b []byte) bool {
	const random = 4 + 2 + 32
	if len(b) <= random || b[0] != tlsServerHello {
		return false
	}
	b = b[random:]
	session := 1 + int(b[0])
	if len(b) < session+5 {
		return false
	}
	for b = b[session+5:]; len(b) >= 4; {
		kind, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if b = b[4:]; n > len(b) {
			return false
		}
		if kind == 43 {
			return bytes.Equal(b[:n], []byte{3, 4})
		}
		b = b[n:]
	}
	return false
}

func (r *tlsReader) last(e End, how fate) said {
	d := &r.ends[e]
	if e == Server && len(r.clear) > 0 {
		return r.inClear()
	}
	switch {
	case d.strange && e == Client && !r.hello:
		return said{early: tlsEarly + ": what the client sent is no TLS", sealed: true}
	case d.lost:
		return said{sealed: true}
	}
	w := said{protocol: "tls", sure: analyze.Observed, tells: true, closing: d.closing, before: d.before, at: d.at, sealed: true, woke: d.woke}
	if how.heard && !r.data && !(r.ends[Client].keyed && r.ends[Server].keyed) {
		w.early = tlsEarly
	}
	if d.kind == 0 && d.total == 0 {
		return said{early: w.early, sealed: true}
	}
	if d.closing > 0 {
		w.goodbye = goodbye{name: tlsGoodbye, at: d.at}
	}
	switch came, total, cut := d.cut(); {
	case cut && total > 0 && how.done:
		w.meaning, w.cut = fmt.Sprintf("TLS record cut: %d of its %d bytes", came, total), true
	case cut:
		return said{sealed: true}
	case d.kind == tlsAlert && d.length == 2 && len(d.content) == 2:
		w.meaning = "TLS alert: " + alertLevel(d.content[0]) + tlsAlertName(d.content[1])
		if w.tells = d.content[1] != 0; w.tells { // close_notify is how TLS ends
			w.goodbye.words = w.meaning
		}
	case d.kind == tlsAlert && d.length == 2:
		w.meaning = "TLS alert"
	case d.kind == tlsAlert:
		w.meaning, w.tells = "TLS alert, encrypted: as a rule close_notify", false
		r.inPlace(e, &w)
	case r.sealedAlert(e):
		w.meaning, w.sure = "an encrypted TLS record as long as an alert: as a rule close_notify", analyze.Inferred
		if w.tells = e == Server && r.refuses(); w.tells {
			w.meaning = "an encrypted TLS record as long as an alert, in answer to the client's handshake" + r.certificate()
			w.goodbye.words = w.meaning
		}
		r.inPlace(e, &w)
	case how.fin && !r.hello: // an alert may look like data
		return said{at: d.at, early: w.early, sealed: true}
	case w.early != "":
		w.meaning, w.at = "the TLS handshake was not complete", spot{}
	case how.fin: // it may have cut what it said, as a server that is killed; a client that leaves so does no harm
		w.meaning, w.at = "no TLS close_notify before its FIN", spot{}
		w.tells = how.first && e == Server && !(r.ends[Client].closing > 0 && r.ends[Client].at.frame < how.over.frame)
		if r.modern {
			w.sure = analyze.Inferred // an alert looks like data
		}
	default:
		return said{at: d.at, sealed: true, woke: d.woke}
	}
	return w
}

// refuses reports whether the server had but an alert for the client's part of the handshake of TLS 1.3: it sends its tickets
// then, or answers.
func (r *tlsReader) refuses() bool {
	return r.sealed != 0 && !r.took && r.ends[Server].at.time.Sub(r.heard) < longIdle
}

// inPlace adds to w, whose last is an alert, that the server gave it in place of an answer: what it tells can't be read.
func (r *tlsReader) inPlace(e End, w *said) {
	if r.ends[e].alone && !w.tells {
		w.meaning = "a TLS alert, encrypted, in place of an answer to the client's last message: an error, or close_notify"
		w.goodbye.words, w.tells = w.meaning, true
	}
}

// certificate says of a client of TLS 1.3 what came of a certificate, by the length of its first sealed record: without one
// that has a Finished and no more (RFC 8446 4.4.2, 4.4.4, 5.2).
func (r *tlsReader) certificate() string {
	const header, seal, none = 4, 1 + 16, 4 + 1 + 3
	for _, hash := range [...]int64{32, 48} { // SHA-256, SHA-384
		if finished := header + hash + seal; r.sealed == none+seal || r.sealed == none+finished {
			return ": a certificate was asked for, and the client sent none"
		}
	}
	if r.sealed > none+header+48+seal {
		return ": a certificate was asked for, and the client sent one"
	}
	return ""
}

// inClear is what a server that does not speak TLS there answered to a ClientHello.
func (r *tlsReader) inClear() said {
	line := firstLine(string(r.clear))
	if !plainText([]byte(line)) {
		return said{}
	}
	text := "no TLS but " + quoted(clip([]byte(line)))
	at := r.ends[Server].at
	return said{meaning: text, protocol: "tls", sure: analyze.Observed, tells: true, at: at, early: tlsEarly + ": the server answered " + text, goodbye: goodbye{words: text, name: "no TLS", at: at, error: true}}
}

func alertLevel(level byte) string {
	switch level {
	case 1:
		return "warning "
	case 2:
		return "fatal "
	}
	return ""
}

// tlsAlertName names an alert as RFC 8446 6 does, older ones as RFC 5246 7.2.
func tlsAlertName(code byte) string {
	if name := tlsAlerts[code]; name != "" {
		return name
	}
	return fmt.Sprint(code)
}

var tlsAlerts = map[byte]string{
	0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 21: "decryption_failed",
	22: "record_overflow", 30: "decompression_failure", 40: "handshake_failure", 41: "no_certificate",
	42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked",
	45: "certificate_expired", 46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca",
	49: "access_denied", 50: "decode_error", 51: "decrypt_error", 60: "export_restriction",
	70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
	86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation",
	109: "missing_extension", 110: "unsupported_extension", 111: "certificate_unobtainable",
	112: "unrecognized_name", 113: "bad_certificate_status_response", 114: "bad_certificate_hash_value",
	115: "unknown_psk_identity", 116: "certificate_required", 120: "no_application_protocol",
}

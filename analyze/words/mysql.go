package words

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/closecap/closecap/analyze"
)

// isMySQL wants the server's greeting: a packet numbered 0 with protocol version 10 and the server's version,
// or an error in its place.
func isMySQL(client, server []byte) answer {
	switch {
	case len(server) == 0 && len(client) > 0:
		return no
	case len(server) < 5:
		if len(server) > 2 && server[2] != 0 || len(server) > 3 && server[3] != 0 {
			return no
		}
		return more
	case server[2] != 0 || server[3] != 0:
		return no
	}
	n := int(server[0]) | int(server[1])<<8
	switch server[4] {
	case 10:
		version, _, ok := bytes.Cut(server[5:], []byte{0})
		switch {
		case !ok && len(version) == 0:
			return more
		case len(version) == 0 || !plainText(version) || len(version) > 100 || version[0] < '0' || version[0] > '9':
			return no
		case !ok:
			return more
		}
		return yes
	case 0xff:
		switch {
		case n < 4:
			return no
		case len(server) < 4+n:
			return more
		}
		if code := binary.LittleEndian.Uint16(server[5:]); code < 1000 || code > 4999 || !plainText(server[7:4+n]) {
			return no
		}
		return yes
	}
	return no
}

// size reads the header of a packet of e; the client's first is numbered 1.
func (r *mysql) size(e End) sizer {
	return func(h []byte) (want int, total int64) {
		const header = 4
		switch {
		case len(h) < header:
			return header - len(h), 0
		case e == Client && !r.login && h[3] != 1:
			return 0, -1
		}
		return 0, header + (int64(h[0]) | int64(h[1])<<8 | int64(h[2])<<16)
	}
}

// Capability flags of a client (MySQL source, include/mysql_com.h).
const (
	mysqlCompress = 1 << 5
	mysqlSSL      = 1 << 11
	mysqlZstd     = 1 << 26
)

// Commands that have no answer.
const (
	mysqlQuit      = 1
	mysqlLongData  = 24
	mysqlStmtClose = 25
)

// mysql follows packets of MySQL's protocol, and of MariaDB's.
type mysql struct {
	framed
	login   bool // the client's first packet is over
	packs   bool // it asked for compression
	in      bool // and the server has let it in: an error before that ends the connection
	error   string
	quit    bool
	asked   bool // a command, and nothing of the server's since
	closing int64
}

func newMySQL() reader { return &mysql{} }

func (r *mysql) said(e End, b []byte, at spot) {
	if e == Server && r.to == nil {
		r.asked = false
	}
	r.hear(e, b, at, r.size(e), r.packet)
}

func (r *mysql) skip(e End, n int64) { r.pass(e, n, r.packet) }

func (r *mysql) packet(e End, msg []byte, total int64) {
	body := msg[4:]
	if e == Server {
		if r.error = ""; len(body) >= 3 && body[0] == 0xff {
			r.error = mysqlError(body)
		}
		if r.in = r.in || r.login && len(body) > 0 && body[0] == 0; r.in && r.packs {
			r.to = deaf{} // what follows is in packets of another form
		}
		return
	}
	r.quit, r.closing = false, 0
	switch {
	case !r.login && len(body) >= 4:
		r.login = true
		switch flags := binary.LittleEndian.Uint32(body); {
		case flags&mysqlSSL != 0 && len(body) == 32:
			r.to = newTLS()
		default:
			r.packs = flags&(mysqlCompress|mysqlZstd) != 0
		}
	case msg[3] == 0 && len(body) > 0: // a command: numbered from 0
		r.asked = body[0] != mysqlStmtClose && body[0] != mysqlLongData
		if body[0] == mysqlQuit && total == 5 {
			r.quit, r.asked, r.closing = true, false, total
		}
	}
}

// mysqlError reads an ERR packet: its code, SQLSTATE and message.
func mysqlError(b []byte) string {
	code, text := binary.LittleEndian.Uint16(b[1:]), b[3:]
	if len(text) >= 6 && text[0] == '#' {
		return fmt.Sprintf("ERROR %d (%s): %s", code, text[1:6], clip(text[6:]))
	}
	return fmt.Sprintf("ERROR %d: %s", code, clip(text))
}

func (r *mysql) last(e End, how fate) said {
	if r.to != nil {
		return r.to.last(e, how)
	}
	w := said{sure: analyze.Observed, tells: true, at: r.at[e]}
	w.counts = r.login && !r.ends[Client].lost && !r.ends[Server].lost
	if e == Client && r.asked && how.heard && w.counts {
		w.open, w.waits, w.asked = 1, "no answer to a command", w.at
	}
	if how.heard && !r.login && !r.ends[Client].lost {
		w.early = "the MySQL login was complete"
	}
	if e == Client && r.in && w.counts {
		if w.failed = r.error; !r.quit {
			w.without = "COM_QUIT"
		}
	}
	switch _, _, cut := r.ends[e].cut(); {
	case r.ends[e].lost:
		return said{strange: e == Client && !r.login && r.ends[e].wrong}
	case cut && how.done:
		w.meaning, w.cut, w.at = "a MySQL packet that was cut", true, spot{}
	case e == Server && r.error != "":
		w.meaning, w.goodbye = r.error, goodbye{words: r.error, name: "error", at: w.at, error: r.in}
	case e == Client && r.quit:
		w.meaning, w.closing = "MySQL COM_QUIT", r.closing
		w.goodbye = goodbye{words: "COM_QUIT", name: "COM_QUIT", at: w.at}
	case w.open > 0:
		w.meaning = "a MySQL command without an answer"
	default:
		return said{at: r.at[e], counts: w.counts, early: w.early, without: w.without, failed: w.failed}
	}
	return w
}
